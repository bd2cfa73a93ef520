import Foundation
import Postgres

/// What must be in the tables after an export, next to them in a schema of its own, and PostgreSQL's own parser as the
/// judge of the bytes that were sent.
struct Oracle {
    let database: TestDatabase

    /// After the export, whose schema must be there.
    func expect(_ answers: [PlannedAnswer]) async throws {
        try await database.execute(Self.schema)
        for start in stride(from: 0, to: answers.count, by: 500) {
            let some = answers[start..<min(start + 500, answers.count)]
            try await expectRuns(some.filter { $0.outcome != nil })
            try await expectParts(some.flatMap { answer in answer.results.enumerated().map { (answer.run, $0, $1) } })
            try await expectErrors(some.flatMap { answer in answer.errors.enumerated().map { (answer.run, $0, $1) } })
            let unplanned = some.filter { $0.outcome == nil }
            _ = try await database.rows(
                "select fidelity.expect_unplanned(r, b) from unnest($1::uuid[], $2::text[]) as t(r, b)",
                [.uuids(unplanned.map { UUID(uuidString: $0.run) }), .texts(unplanned.map { $0.body.hex })])
        }
    }

    /// Bodies that PostgreSQL cannot take apart, although it holds them to be JSON: the escapes of one of their strings
    /// say nothing.
    func unclear() async throws -> Int { try await database.count("fidelity.runs where outcome = 'unclear'") }

    func differencesOfRuns() async throws -> [String] {
        try await database.rows(
            """
            select run_id, e.outcome as expected, r.outcome, e.status as expected_status, r.status,
                   e.results as expected_results, r.result_count, e.errors as expected_errors, r.error_count, r.failure,
                   left(e.extra::text, 200) as expected_extra, left(r.extra::text, 200) as extra
              from (select f.*, v.value, fidelity.is_exact(f.raw_extra, v.value) as is_exact, f.nearest_extra::jsonb as extra
                      from fidelity.runs f cross join lateral fidelity.read(f.raw_extra) v
                     where f.outcome <> 'unclear') e
              full join stored_actions.runs r using (run_id)
             where r.outcome is distinct from e.outcome and e.run_id is not null
                or e.run_id is null and run_id not in (select run_id from fidelity.runs)
                or coalesce(r.result_count, 0) <> e.results or coalesce(r.error_count, 0) <> e.errors
                or e.is_planned and r.outcome in ('success', 'error')
                   and (r.status, r.type, r.next_page) is distinct from (e.status, e.type, e.next_page)
                or e.is_planned and e.raw_extra is null and (r.extra is not null or r.extra_raw is not null)
                or e.raw_extra is not null and e.is_exact
                   and (r.extra_raw is not null or r.extra::text is distinct from e.value::text)
                or e.raw_extra is not null and not e.is_exact
                   and (r.extra_raw is distinct from e.raw_extra or r.extra::text is distinct from e.extra::text)
            """)
    }

    func differencesOfResults() async throws -> [String] {
        try await database.rows(
            """
            select run_id, item_index, o.form, o.refusal, left(encode(o.raw, 'escape'), 300) as sent,
                   left(r.payload::text, 200) as payload, left(encode(r.payload_raw, 'escape'), 200) as raw, r.payload_notes
              from (select f.*, v.value, v.refusal, f.form is distinct from 'none' and fidelity.is_exact(f.raw, v.value) as is_exact
                      from fidelity.results f cross join lateral fidelity.read(f.raw) v) o
              full join stored_actions.results r using (run_id, item_index)
             where run_id not in (select run_id from fidelity.runs where outcome = 'unclear')
               and (r.run_id is null or o.run_id is null
                    -- The test's own idea against PostgreSQL's.
                    or (o.form = 'exact') <> o.is_exact
                    or o.is_exact
                       and (r.payload_raw is not null or r.payload_notes is not null
                            or r.payload::text is distinct from o.value::text)
                    or not o.is_exact
                       and (r.payload_raw is distinct from o.raw or coalesce(cardinality(r.payload_notes), 0) = 0
                            or o.form is not null and r.payload::text is distinct from o.nearest::jsonb::text))
            """)
    }

    func differencesOfErrors() async throws -> [String] {
        try await database.rows(
            """
            select run_id, error_index, e.form, left(encode(o.raw, 'escape'), 300) as sent, r.code, o.code as expected_code,
                   left(r.extra::text, 200) as extra, left(o.extra::text, 200) as expected_extra,
                   left(r.meta::text, 200) as meta, left(o.meta::text, 200) as expected_meta, r.notes
              from (select run_id, error_index, raw, code, title, detail, delay, meta::jsonb, extra::jsonb
                      from fidelity.errors) o
              join fidelity.errors e using (run_id, error_index)
              full join (select x.* from stored_actions.errors x
                          where x.run_id not in (select run_id from fidelity.runs where not is_planned)) r
                using (run_id, error_index)
             where r.run_id is null or o.run_id is null
                or (r.code, r.title, r.detail, r.delay_seconds::text, r.meta::text, r.extra::text)
                   is distinct from (o.code, o.title, o.detail, o.delay, o.meta::text, o.extra::text)
                or e.form = 'exact' and (r.raw is not null or r.notes is not null)
                or e.form <> 'exact' and (r.raw is distinct from o.raw or coalesce(cardinality(r.notes), 0) = 0)
            """)
    }

    private func expectRuns(_ answers: [PlannedAnswer]) async throws {
        let extras = answers.map(\.extraPart)
        _ = try await database.rows(
            """
            select fidelity.expect_run(r, o, s, t, n, c::int, e::int, x, m)
              from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int8[], $7::int8[], $8::text[],
                          $9::text[]) as u(r, o, s, t, n, c, e, x, m)
            """,
            [
                .uuids(answers.map { UUID(uuidString: $0.run) }), .texts(answers.map(\.outcome)),
                .texts(answers.map(\.status)), .texts(answers.map(\.type)), .texts(answers.map(\.nextPage)),
                .ints(answers.map(\.results.count)), .ints(answers.map(\.errors.count)),
                .texts(extras.map { $0?.bytes.hex }), .texts(extras.map { $0?.value.nearest }),
            ])
    }

    private func expectParts(_ parts: [(run: String, index: Int, part: PlannedAnswer.Part)]) async throws {
        _ = try await database.rows(
            """
            select fidelity.expect_result(r, i::int, x, f, n)
              from unnest($1::uuid[], $2::int8[], $3::text[], $4::text[], $5::text[]) as u(r, i, x, f, n)
            """,
            [
                .uuids(parts.map { UUID(uuidString: $0.run) }), .ints(parts.map(\.index)),
                .texts(parts.map(\.part.bytes.hex)), .texts(parts.map(\.part.value.form.rawValue)),
                .texts(parts.map(\.part.value.nearest)),
            ])
    }

    private func expectErrors(_ parts: [(run: String, index: Int, part: PlannedAnswer.Part)]) async throws {
        let errors = parts.map { PlannedError($0.part.value) }
        _ = try await database.rows(
            """
            select fidelity.expect_error(r, i::int, x, f, c, t, d, s, m, e)
              from unnest($1::uuid[], $2::int8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                          $9::text[], $10::text[]) as u(r, i, x, f, c, t, d, s, m, e)
            """,
            [
                .uuids(parts.map { UUID(uuidString: $0.run) }), .ints(parts.map(\.index)),
                .texts(parts.map(\.part.bytes.hex)), .texts(parts.map(\.part.value.form.rawValue)),
                .texts(errors.map(\.code)), .texts(errors.map(\.title)), .texts(errors.map(\.detail)),
                .texts(errors.map(\.delay)), .texts(errors.map(\.meta)), .texts(errors.map(\.extra)),
            ])
    }

    private static let schema = #"""
        create schema fidelity;
        create table fidelity.runs (run_id uuid primary key, outcome text, status text, type text, next_page text,
                                    results int, errors int, raw_extra bytea, nearest_extra text, is_planned boolean);
        create table fidelity.results (run_id uuid, item_index int, raw bytea, form text, nearest text);
        create table fidelity.errors (run_id uuid, error_index int, raw bytea, form text, code text, title text,
                                      detail text, delay text, meta text, extra text);

        create function fidelity.expect_run(r uuid, o text, s text, t text, n text, c int, e int, x text, m text)
          returns int language sql as $$
            insert into fidelity.runs values (r, o, s, t, n, c, e, decode(x, 'hex'), m, true) returning 1 $$;
        create function fidelity.expect_result(r uuid, i int, x text, f text, n text) returns int language sql as $$
            insert into fidelity.results values (r, i, decode(x, 'hex'), f, n) returning 1 $$;
        create function fidelity.expect_error(r uuid, i int, x text, f text, c text, t text, d text, s text, m text, e text)
          returns int language sql as $$
            insert into fidelity.errors values (r, i, decode(x, 'hex'), f, c, t, d, s, m, e) returning 1 $$;

        -- What PostgreSQL makes of the bytes, or its SQLSTATE.
        create function fidelity.read(raw bytea, out value jsonb, out refusal text) language plpgsql as $$
          begin
            value := convert_from(raw, 'UTF8')::jsonb;
          exception when others then
            get stacked diagnostics refusal = returned_sqlstate;
          end $$;

        create function fidelity.has_duplicates(value json) returns boolean language plpgsql as $$
          begin
            if json_typeof(value) = 'object' then
              return (select count(*) <> count(distinct e.key collate "C")
                             or coalesce(bool_or(fidelity.has_duplicates(e.value)), false) from json_each(value) e);
            elsif json_typeof(value) = 'array' then
              return (select coalesce(bool_or(fidelity.has_duplicates(e)), false) from json_array_elements(value) e);
            end if;
            return false;
          end $$;

        -- PostgreSQL takes the bytes, and no key is lost by it.
        create function fidelity.is_exact(raw bytea, value jsonb) returns boolean language plpgsql as $$
          begin
            return value is not null and (fidelity.depth(raw) > 500 or not fidelity.has_duplicates(convert_from(raw, 'UTF8')::json));
          end $$;

        create function fidelity.depth(raw bytea) returns int language sql as $$
          select case when raw like '[[%' then length(raw) / 2 else 0 end $$;

        -- What a body means that nobody planned. Each of its bytes counts as one character, so that broken UTF-8 inside of
        -- strings does not matter and outside of them it does.
        create function fidelity.expect_unplanned(run uuid, hex text) returns int language plpgsql as $$
          declare
            body bytea := decode(hex, 'hex');
            top json; own json; outside json; errors json; list json; status json; id json; holds boolean; outcome text;
          begin
            if substring(body from 1 for 3) = '\xefbbbf' then body := substring(body from 4); end if;
            begin
              top := convert_from(body, 'LATIN1')::json;
            exception when others then
              insert into fidelity.runs values (run, 'failed', null, null, null, 0, 0, null, null, false);
              return 0;
            end;
            begin
              own := top;
              if json_typeof(top) = 'object' and json_typeof(top -> 'data') = 'object'
                 and json_typeof(top -> 'results') is distinct from 'array'
                 and (json_typeof(top -> 'data' -> 'results') = 'array'
                      or coalesce(top -> 'results', top -> 'status') is null
                         and coalesce(top -> 'data' -> 'results', top -> 'data' -> 'status', top -> 'data' -> 'errors') is not null
                      or json_typeof(top -> 'errors') is distinct from 'array' and json_typeof(top -> 'data' -> 'errors') = 'array')
              then
                own := top -> 'data';
                outside := top;
              end if;
              status := own -> 'status';
              id := own -> 'id';
              if outside -> 'status' is not null then
                status := coalesce(status, outside -> 'status');
                id := coalesce(id, outside -> 'id');
              end if;
              errors := coalesce(own -> 'errors', outside -> 'errors');
              list := case coalesce(json_typeof(own -> 'results'), 'null')
                        when 'array' then own -> 'results'
                        when 'null' then '[]'
                        else json_build_array(own -> 'results')
                      end;
              holds := coalesce(json_typeof(own -> 'results'), '') = 'array'
                       or coalesce(json_typeof(errors), '') = 'array'
                          and not exists (
                                select from json_array_elements(errors) e
                                 where json_typeof(e) <> 'object'
                                    or json_typeof(e -> 'status') = 'number' and e ->> 'status' ~ '^[4-9][0-9]{2}$|^[1-9][0-9]{3,}$'
                                    or coalesce(e ->> 'code', e ->> 'title', e ->> 'detail') is null);
              outcome := case
                           when json_typeof(own) <> 'object'
                                or coalesce(own -> 'results', own -> 'status', own -> 'errors') is null then 'failed'
                           when lower(id #>> '{}') <> run::text then 'failed'
                           when status #>> '{}' = 'waiting' then 'waiting'
                           when not holds then 'failed'
                           when status #>> '{}' in ('success', 'error') then status #>> '{}'
                           when status #>> '{}' is not null then 'failed'
                           when coalesce(json_typeof(errors), 'null') = 'null' then 'success'
                           when json_typeof(errors) = 'array' and json_array_length(errors) = 0 then 'success'
                           else 'error'
                         end;
            exception when others then
              insert into fidelity.runs values (run, 'unclear', null, null, null, 0, 0, null, null, false);
              return 0;
            end;
            if outcome not in ('success', 'error') then list := '[]'; end if;
            insert into fidelity.results
              select run, e.position - 1, convert_to(e.value::text, 'LATIN1'), null, null
                from json_array_elements(list) with ordinality as e(value, position);
            insert into fidelity.runs
              values (run, outcome, null, null, null, json_array_length(list),
                      case when outcome not in ('success', 'error') or coalesce(json_typeof(errors), 'null') = 'null' then 0
                           when json_typeof(errors) = 'array' then json_array_length(errors) else 1 end,
                      null, null, false);
            return 1;
          end $$;
        """#
}

extension [UInt8] {
    fileprivate var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
