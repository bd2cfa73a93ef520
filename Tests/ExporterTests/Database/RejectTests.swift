import Foundation
import Postgres
import Testing

@testable import ExportCore
@testable import Exporter

/// Surprises: PostgreSQL refuses what nothing told beforehand. Triggers play them.
@Suite("What PostgreSQL refuses")
struct RejectTests {
    /// Makes the table refuse rows of which this holds.
    private func refuse(_ condition: String, in table: String, sqlstate: String = "XX000", _ db: LedgerFixture)
        async throws
    {
        _ = try await db.session.transaction { transaction in
            try transaction.execute(
                script: """
                    create function public.refuse() returns trigger language plpgsql as $$
                    begin
                      if \(condition) then raise exception 'no such row' using errcode = '\(sqlstate)'; end if;
                      return new;
                    end $$;
                    create trigger refuse before insert or update on stored_actions.\(table)
                      for each row execute function public.refuse();
                    """)
        } wasCommitted: { _ in
            true
        }
    }

    private static func body(_ values: some Sequence<String>) -> String {
        #"{"status": "success", "results": [\#(values.joined(separator: ", "))], "errors": []}"#
    }

    private static func isPoison(_ column: String) -> String { "new.\(column)::text like '%poison%'" }

    @Test(
        "A row costs nothing but itself: it stands in rejects with its bytes, and all else is stored",
        arguments: ["XX000", "22023", "23514", "54000", "P0001", "42703"])
    func row(sqlstate: String) async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open((1...9).map { ($0, nil) })
            try await refuse(Self.isPoison("payload"), in: "results", sqlstate: sqlstate, db)
            let batch = (1...9).map { number in
                LedgerFixture.loaded(
                    number, status: 200,
                    body: Self.body(
                        (0..<20).map { number == 4 && [3, 17].contains($0) ? #"{"a" :  "poison"}"# : "\($0)" }))
            }
            let commits = try await db.commit(batch, to: ledger)
            #expect(commits.map(\.results) == [20, 20, 20, 18, 20, 20, 20, 20, 20])
            #expect(commits.map(\.rejects) == [0, 0, 0, 2, 0, 0, 0, 0, 0])
            #expect(try await db.texts("select distinct outcome from stored_actions.runs") == ["success"])
            #expect(
                try await db.texts("select result_count from stored_actions.runs order by run_id")
                    == ["20", "20", "20", "18", "20", "20", "20", "20", "20"])
            #expect(try await db.texts("select count(*) from stored_actions.results") == ["178"])
            #expect(
                try await db.texts(
                    """
                    select concat_ws(' ', right(run_id::text, 1), what, position, sqlstate, reason like '%no such row%',
                                     convert_from(raw, 'UTF8'), export_id)
                      from stored_actions.rejects order by position
                    """) == [
                        "4 result 3 \(sqlstate) t {\"a\" :  \"poison\"} \(ledger.exportID)",
                        "4 result 17 \(sqlstate) t {\"a\" :  \"poison\"} \(ledger.exportID)",
                    ])
            #expect(
                try await db.texts("select sum(result_count) from stored_actions.export_items") == ["178"])
        }
    }

    /// Makes a trigger drop rows of which this holds, without an error.
    private func drop(_ condition: String, from table: String, _ db: LedgerFixture) async throws {
        _ = try await db.session.transaction { transaction in
            try transaction.execute(
                script: """
                    create function public.drop_rows() returns trigger language plpgsql as $$
                    begin
                      if \(condition) then return null; end if;
                      return new;
                    end $$;
                    create trigger drop_rows before insert or update on stored_actions.\(table)
                      for each row execute function public.drop_rows();
                    """)
        } wasCommitted: { _ in
            true
        }
    }

    @Test("A row that a trigger drops without a word stands in rejects as well, and all else is stored")
    func dropped() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open((1...3).map { ($0, nil) })
            try await drop(Self.isPoison("payload"), from: "results", db)
            let commits = try await db.commit(
                (1...3).map { number in
                    LedgerFixture.loaded(
                        number, status: 200, body: Self.body([#""a""#, number == 2 ? #""poison""# : #""b""#]))
                }, to: ledger)
            #expect(commits.map(\.results) == [2, 1, 2])
            #expect(commits.map(\.rejects) == [0, 1, 0])
            #expect(try await db.texts("select count(*) from stored_actions.results") == ["5"])
            #expect(try await db.texts("select distinct outcome from stored_actions.runs") == ["success"])
            #expect(
                try await db.texts(
                    """
                    select concat_ws(' ', right(run_id::text, 1), what, position, sqlstate is null,
                                     reason like '%trigger dropped 1 of 1 rows%', convert_from(raw, 'UTF8'))
                      from stored_actions.rejects
                    """) == [#"2 result 1 t t "poison""#])
        }
    }

    @Test("An answer of which nearly every row is refused leaves all of them in rejects, however many there are")
    func many() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil)])
            try await drop(Self.isPoison("payload"), from: "results", db)
            let results = Array(repeating: #""poison""#, count: 2300) + [#""a""#]
            let commits = try await db.commit(
                [LedgerFixture.loaded(1, status: 200, body: Self.body(results))], to: ledger)
            #expect(commits.map(\.results) == [1])
            #expect(commits.map(\.rejects) == [2300])
            let counts = "select concat_ws(' ', count(*), count(distinct position)) from stored_actions.rejects"
            #expect(try await db.texts(counts) == ["2300 2300"])
        }
    }

    @Test("So is a dropped error of the partner's, one of the API's, and a dropped body")
    func droppedParts() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open((1...3).map { ($0, nil) })
            let partner = #"{"status": "error", "errors": [{"code": "a"}, {"code": "poison"}]}"#
            let api = #"{"errors": [{"code": "b"}, {"code": "poison"}]}"#
            for (number, table) in [(1, "errors"), (2, "api_errors")] {
                try await drop(Self.isPoison("code"), from: table, db)
                try await db.commit(
                    [LedgerFixture.loaded(number, status: number == 2 ? 404 : 200, body: number == 2 ? api : partner)],
                    to: ledger)
                _ = try await db.session.query("drop function public.drop_rows() cascade")
            }
            try await drop("true", from: "run_bodies", db)
            try await db.commit(
                [LedgerFixture.loaded(3, status: 200, body: Self.body(["1"]), keepRaw: true)], to: ledger)
            #expect(
                try await db.texts(
                    "select concat_ws(' ', what, position) from stored_actions.rejects order by run_id")
                    == ["error 1", "api_error 1", "body"])
            #expect(try await db.texts("select error_count from stored_actions.runs order by run_id limit 1") == ["1"])
            #expect(try await db.texts("select count(*) from stored_actions.results") == ["1"])
        }
    }

    @Test("A run whose own row a trigger does not let change is failed; if even that is dropped, the export fails")
    func droppedRun() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open((1...3).map { ($0, nil) })
            try await drop("new.run_id::text like '%2' and new.outcome = 'success'", from: "runs", db)
            let batch = (1...3).map { LedgerFixture.loaded($0, status: 200, body: LoaderTests.three) }
            try await db.commit(batch, to: ledger)
            #expect(
                try await db.texts("select outcome from stored_actions.runs order by run_id")
                    == ["success", "failed", "success"])
            #expect(try await db.texts("select count(*) from stored_actions.results") == ["6"])
            _ = try await db.session.query("drop function public.drop_rows() cascade")
            try await drop("true", from: "runs", db)
            let error = await #expect(throws: PostgresError.self) { try await db.commit([batch[1]], to: ledger) }
            #expect(error?.kind == .rowsDropped)
            #expect(try await db.texts("select count(*) from stored_actions.results") == ["6"])
        }
    }

    @Test("What the role may not do is no fault of the rows: 78, and nothing is rejected")
    func permission() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil)])
            try await refuse("true", in: "results", sqlstate: "42501", db)
            let error = await #expect(throws: PostgresError.self) {
                try await db.commit([LedgerFixture.loaded(1, status: 200, body: LoaderTests.three)], to: ledger)
            }
            #expect(error?.kind == .permission)
            #expect(try await db.texts("select count(*) from stored_actions.rejects") == ["0"])
        }
    }

    @Test("So does an error of the partner's, one of the API's, a field without a column and a whole body")
    func otherParts() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open((1...3).map { ($0, nil) })
            let partner = #"{"status": "error", "errors": [{"code": "a"}, {"code": "poison"}], "took": "ms"}"#
            let api = #"{"errors": [{"code": "b"}, {"code": "poison", "n": 1.10}]}"#
            let extra = #"{"status": "success", "results": [1], "errors": [], "took": "poison"}"#
            for (table, column) in [("errors", "code"), ("api_errors", "code"), ("runs", "extra")] {
                try await refuse(Self.isPoison(column), in: table, db)
                let number = ["errors": 1, "api_errors": 2, "runs": 3][table, default: 0]
                let body = [partner, api, extra][number - 1]
                try await db.commit(
                    [LedgerFixture.loaded(number, status: number == 2 ? 404 : 200, body: body)], to: ledger)
                _ = try await db.session.query("drop function public.refuse() cascade")
            }
            try await refuse("length(new.body) > 10", in: "run_bodies", db)
            try await db.commit(
                [LedgerFixture.loaded(3, status: 200, body: extra, keepRaw: true)], to: ledger, refetch: true)
            #expect(
                try await db.texts("select concat_ws(' ', outcome, extra) from stored_actions.runs order by run_id")
                    == [#"error {"took": "ms"}"#, "not_found", #"success {"took": "poison"}"#])
            #expect(try await db.texts("select code from stored_actions.errors") == ["a"])
            #expect(try await db.texts("select error_count from stored_actions.runs order by run_id limit 1") == ["1"])
            #expect(try await db.texts("select code from stored_actions.api_errors") == ["b"])
            #expect(try await db.texts("select payload from stored_actions.results") == ["1"])
            // The refetch of run 3 has replaced what was rejected of it before.
            #expect(
                try await db.texts(
                    """
                    select concat_ws(' ', what, position, convert_from(raw, 'UTF8')) from stored_actions.rejects
                     order by run_id
                    """) == [#"error 1 {"code": "poison"}"#, #"api_error 1 {"code": "poison", "n": 1.10}"#, "body"])
        }
    }

    @Test("A field without a column that is refused is kept, and its run is stored")
    func extra() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil)])
            try await refuse(Self.isPoison("extra"), in: "runs", db)
            try await db.commit(
                [
                    LedgerFixture.loaded(
                        1, status: 200, body: #"{"status": "success", "results": [1], "errors": [], "x":  "poison"}"#)
                ], to: ledger)
            #expect(
                try await db.texts("select concat(outcome, extra, extra_raw, result_count) from stored_actions.runs")
                    == ["success1"])
            #expect(
                try await db.texts("select concat_ws(' ', what, convert_from(raw, 'UTF8')) from stored_actions.rejects")
                    == [#"extra {"x":"poison"}"#])
        }
    }

    @Test("A run whose own row is refused is failed, and keeps no other from being stored")
    func runRow() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open((1...5).map { ($0, nil) })
            try await refuse(
                "new.run_id::text like '%3' and new.outcome = 'success'", in: "runs", sqlstate: "P0001", db)
            try await db.commit(
                (1...5).map { LedgerFixture.loaded($0, status: 200, body: LoaderTests.three) }, to: ledger)
            #expect(
                try await db.texts("select outcome from stored_actions.runs order by run_id")
                    == ["success", "success", "failed", "success", "success"])
            #expect(try await db.texts("select count(*) from stored_actions.results") == ["12"])
            #expect(
                try await db.texts(
                    "select failure like '%no such row%' from stored_actions.runs where outcome = 'failed'")
                    == ["true"])
        }
    }

    @Test("What is checked only at the COMMIT is found as well")
    func deferred() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil), (2, nil)])
            _ = try await db.session.query(
                """
                alter table stored_actions.results add constraint once unique (payload) deferrable initially deferred
                """)
            try await db.commit(
                [
                    LedgerFixture.loaded(1, status: 200, body: Self.body(["1", "2", "1"])),
                    LedgerFixture.loaded(2, status: 200, body: Self.body(["3"])),
                ], to: ledger)
            #expect(
                try await db.texts("select payload from stored_actions.results order by payload") == ["1", "2", "3"])
            #expect(
                try await db.texts("select concat_ws(' ', position, sqlstate) from stored_actions.rejects")
                    == ["2 23505"])
        }
    }

    @Test(
        "Where the tables are at fault nothing is rejected, then or later: the export fails with 78, and nothing is stored",
        arguments: [
            "alter table stored_actions.results rename column payload to content",
            "alter table stored_actions.results drop column payload_notes",
            "alter table stored_actions.runs drop column failure",
            "alter table stored_actions.errors rename to partner_errors",
            "alter table stored_actions.errors alter column error_index type bigint",
            "alter table stored_actions.runs alter column failure type int using null",
            "alter table stored_actions.results rename to r; create view stored_actions.results as select * from stored_actions.r",
            "alter table stored_actions.api_errors rename to r; create table stored_actions.api_errors ()",
            "drop schema stored_actions cascade",
        ], [false, true])
    func tables(change: String, isLater: Bool) async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open((1...4).map { ($0, nil) })
            let loader = Loader(session: db.session, exportID: ledger.exportID, refetch: false)
            if isLater {
                _ = try await loader.commit(
                    [LedgerFixture.loaded(4, status: 200, body: LoaderTests.three)], requests: RequestCount())
            }
            try await db.execute(change)
            let error = await #expect(throws: PostgresError.self) {
                _ = try await loader.commit(
                    [
                        LedgerFixture.loaded(1, status: 200, body: LoaderTests.three),
                        LedgerFixture.loaded(2, status: 200, body: LoaderTests.partnerError),
                        LedgerFixture.loaded(3, status: 404, body: LoaderTests.gone),
                    ], requests: RequestCount())
            }
            #expect(error?.isSchemaFault == true, "\(error.map(String.init(describing:)) ?? "")")
            guard !change.hasPrefix("drop schema") else { return }
            #expect(
                try await db.texts("select outcome from stored_actions.runs where run_id::text not like '%4'")
                    == ["queued", "queued", "queued"])
            #expect(try await db.texts("select count(*) from stored_actions.rejects") == ["0"])
        }
    }

    @Test(
        "Where the database is at fault nothing is rejected either",
        arguments: [("XX002", PostgresError.Kind.other), ("58030", .resources), ("25006", .shutdown)])
    func database(sqlstate: String, kind: PostgresError.Kind) async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil)])
            try await refuse("true", in: "results", sqlstate: sqlstate, db)
            let loader = Loader(session: db.session, exportID: ledger.exportID, refetch: false)
            let run = LedgerFixture.loaded(1, status: 200, body: LoaderTests.three)
            let error = await #expect(throws: PostgresError.self) {
                try await loader.commit([run], requests: RequestCount())
            }
            #expect(error?.kind == kind)
            #expect(try await db.texts("select count(*) from stored_actions.rejects") == ["0"])
        }
    }

    @Test("Whole bodies of final answers are kept byte for byte, and go with the answer they belong to")
    func bodies() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open((1...3).map { ($0, nil) })
            let body = "\n {\"status\":  \"success\", \"results\": [1], \"errors\": [], \"a\": \"\u{FC}\"}\n"
            try await db.commit(
                [
                    LedgerFixture.loaded(1, status: 200, body: body, keepRaw: true),
                    LedgerFixture.loaded(2, status: 404, body: LoaderTests.gone, keepRaw: true),
                    LedgerFixture.loaded(3, status: 202, body: "later", keepRaw: true),
                ], to: ledger)
            let bodies = "select convert_from(body, 'UTF8') from stored_actions.run_bodies order by run_id"
            #expect(try await db.texts(bodies) == [body, LoaderTests.gone])
            let again = try await db.open([(1, nil)], refetch: true)
            // What does not replace the result does not replace its body.
            try await db.commit(
                [LedgerFixture.loaded(1, status: 404, body: LoaderTests.gone, keepRaw: true)], to: again, refetch: true)
            #expect(try await db.texts(bodies) == [body, LoaderTests.gone])
            try await db.commit(
                [LedgerFixture.loaded(1, status: 200, body: LoaderTests.one)], to: again, refetch: true)
            #expect(try await db.texts(bodies) == [LoaderTests.gone])
        }
    }
}
