import Foundation
import Postgres
import Testing

/// The rows that an answer becomes: its objects, its errors, and where each comes from.
@Suite("Rows")
struct RowTests {
    @Test func `Results hold every object as the API sent it, in its order`() async throws {
        try await Stage.with("--seed", "7") { stage in
            var runs = (0..<12).map { Manifest.Run(.success, number: $0) }
            runs += [
                Manifest.Run(.successFlat, number: 20), Manifest.Run(.successEnveloped, number: 21),
                Manifest.Run(.successWithoutStatus, number: 22), Manifest.Run(.gzip, number: 23),
                Manifest.Run(.large, 40, number: 24), Manifest.Run(.deep, 3, number: 25),
                Manifest.Run(.bulkStrings, 3, number: 0x0007_0000_0004), Manifest.Run(.drip, 1, number: 27),
            ]
            let summary = try await stage.export(Manifest(runs: runs)).summary
            var objects = 0
            for run in runs {
                let body = try await stage.sandbox.body(of: run)
                let differences = try await stage.database.rows(
                    """
                    with sent as (
                      select position - 1 as item_index, object
                        from (select coalesce($1::jsonb -> 'data', $1::jsonb) -> 'results' as list) b
                       cross join jsonb_array_elements(b.list) with ordinality as e(object, position)
                    )
                    select item_index, object, payload
                      from (select item_index, payload from results
                             where run_id = $2::uuid and stored_action_id = $3::uuid) r
                      full join sent s using (item_index)
                     where payload::text is distinct from object::text
                    """, [.text(body), .text(run.id), .text(run.action)])
                #expect(differences.isEmpty, "\(run.id)")
                let counted = try await stage.database.value(
                    """
                    select r.result_count, (select count(*) from results where run_id = r.run_id),
                           jsonb_array_length(coalesce($1::jsonb -> 'data', $1::jsonb) -> 'results')
                      from runs r where run_id = $2::uuid
                    """, [.text(body), .text(run.id)])
                let counts = (counted ?? "").split(separator: "|")
                #expect(Set(counts).count == 1, "\(run.id): \(counts)")
                objects += counts.first.flatMap { Int($0) } ?? 0
            }
            #expect(summary.results == objects)
            #expect(try await stage.database.count("results where payload is null or payload_raw is not null") == 0)
        }
    }

    @Test func `The partner's errors are stored field by field, and what has no column in extra`() async throws {
        try await Stage.with { stage in
            let partner = Manifest.Run(.error, 3, number: 2)
            let unknown = Manifest.Run(.errorUnknownCode, number: 3)
            let throttled = Manifest.Run(.errorThrottled, 45, number: 4)
            let bare = Manifest.Run(.errorWithoutStatus, number: 0)
            let summary = try await stage.export(Manifest(runs: [partner, unknown, throttled, bare])).summary
            let fields = "error_index, code, title, detail, delay_seconds, meta, extra"
            let rows = { (run: Manifest.Run) in
                try await stage.database.rows(
                    "select \(fields) from errors where run_id = $1::uuid order by error_index", [.text(run.id)])
            }
            #expect(
                try await rows(partner) == [
                    "0|partner|Partner said \"no\"|HTTP 400: näo\nsecond line||"
                        + #"{"fields": ["email", "name"], "http_status": 400}|"#,
                    "1|system|||||",
                    "2|throttled|Throttled|The partner asks for patience.|30||",
                ])
            #expect(
                try await rows(unknown) == [
                    "0|quota_of_the_moon|Unheard of|A code that no document names.||{\"phase\": 0.25}|"
                        + #"{"hint": {"see": ["https://example.com/a", null]}}"#
                ])
            #expect(try await rows(throttled) == ["0|throttled|Throttled|The partner asks for patience.|45||"])
            #expect(try await rows(bare).count == 1)
            #expect(summary.errors == 6)
            #expect(
                try await stage.database.rows("select status, error_count from runs order by run_id")
                    == ["error|3", "|1", "error|1", "error|1"])
        }
    }

    @Test func `Errors of the API itself are stored with the status and the place that they name`() async throws {
        try await Stage.with { stage in
            let conflict = Manifest.Run(.conflict, number: 1)
            let missing = Manifest.Run(.missing, number: 2, executed: .daysAgo(1))
            let export = try await stage.export(Manifest(runs: [conflict, missing]))
            #expect(export.status == 3)
            let id = try export.summary.exportId
            let rows = try await stage.database.rows(
                """
                select run_id, error_index, http_status, status, code, title, source_pointer, source_parameter,
                       source_header
                  from api_errors where export_id = \(id) and occurred_at <= loaded_at + '1 s' order by run_id
                """)
            #expect(
                rows == [
                    "\(missing.id)|0|404|404|not_found|Resource not found.|/runs/\(missing.id)||",
                    "\(conflict.id)|0|409|409|conflict|Conflict||run_id|",
                ])
        }
    }

    @Test func `Every row tells where it comes from`() async throws {
        try await Stage.with { stage in
            let executed = Date.daysAgo(2)
            let runs = [
                Manifest.Run(.success, 4, number: 1, executed: executed), Manifest.Run(.error, 1, number: 2),
                Manifest.Run(.serverError, 1, number: 3), Manifest.Run(.conflict, number: 4),
            ]
            let export = try await stage.export(Manifest(name: "origin", runs: runs))
            let summary = try export.summary
            let database = stage.database
            let id = summary.exportId
            #expect(try await database.count("exports") == 1)
            #expect(
                try await database.rows(
                    """
                    select outcome, exit_status, items, requests, rate_limited, api_url,
                           host <> '', tool_version <> '', finished_at > started_at, outcomes ->> 'success'
                      from exports where export_id = \(id)
                    """)
                    == ["complete|3|4|\(summary.requests.total)|0|\(stage.sandbox.url)|true|true|true|2"])
            #expect(
                try await database.rows("select name, items, length(sha256) from export_manifests")
                    == ["origin|4|64"])
            for table in ["runs", "results", "errors", "api_errors"] {
                #expect(try await database.count("\(table) where export_id = \(id)") > 0, "\(table)")
                #expect(
                    try await database.holds(
                        """
                        (select bool_and(t.export_id = e.export_id
                                         and t.loaded_at between e.started_at and e.finished_at)
                           from \(table) t cross join exports e)
                        """), "\(table)")
            }
            #expect(
                try await database.holds(
                    """
                    (select bool_and(fetched_at between e.started_at - interval '1 s' and e.finished_at)
                       from runs r cross join exports e where r.outcome in ('success', 'error'))
                    """))
            #expect(
                try await database.count("runs where (fetched_at is null) = (outcome in ('success', 'error'))") == 0)
            #expect(try await database.count("runs where root_run_id <> run_id or page_number <> 0") == 0)
            #expect(
                try await database.holds(
                    """
                    (select executed_at = to_timestamp(\(Int(executed.timeIntervalSince1970)))
                            and expires_at = executed_at + '7 d'
                       from runs where run_id = $1::uuid)
                    """,
                    [.text(runs[0].id)]))
            #expect(
                try await database.count(
                    "runs where executed_at is null and expires_at = first_seen_at + interval '7 d'") == 3)
            // A result lies in the same transaction as its run's row.
            #expect(
                try await database.count("results r join runs u using (run_id) where r.loaded_at <> u.loaded_at") == 0)
            #expect(try await database.rows("select attempts from runs order by run_id") == ["1", "1", "1", "2"])
        }
    }

    @Test(arguments: [(Scenario.bulkStrings, "1"), (.bulkNumbers, "1"), (.bulkOpaque, "any")])
    func `The cursor of the next page is stored, a number as its digits`(
        _ scenario: Scenario, cursor: String
    ) async throws {
        try await Stage.with { stage in
            let first = Manifest.Run(scenario, 2, number: 0x0001_0000_0003)
            let last = Manifest.Run(scenario, 2, number: 0x0001_0001_0003)
            let export = try await stage.export(Manifest(runs: [first, last]))
            #expect(export.status == 0)
            let stored = try await stage.database.value(
                "select next_page from runs where run_id = $1::uuid", [.text(first.id)])
            if cursor == "any" { #expect(stored?.isEmpty == false) } else { #expect(stored == cursor) }
            #expect(
                try await stage.database.count("runs where next_page is null and run_id = '\(last.id)'") == 1)
        }
    }
}
