import Foundation
import Postgres
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Kill it anywhere and run the same command again: nothing lost, nothing doubled, nothing fetched twice.
@Suite("Killed and continued exports", .serialized)
struct KillTests {
    /// Everything that does not depend on when it was stored, or by which call.
    static func stored(in database: TestDatabase) async throws -> [String] {
        var rows: [String] = []
        for query in [
            """
            select 'run', stored_action_id, run_id, outcome, status, http_status, type, result_count, error_count,
                   next_page, page, page_number, root_run_id, executed_at, expires_at, extra
              from runs order by run_id
            """,
            """
            select 'result', run_id, item_index, stored_action_id, payload, payload_raw, payload_notes
              from results order by run_id, item_index
            """,
            """
            select 'error', run_id, error_index, stored_action_id, code, title, detail, delay_seconds, meta, extra
              from errors order by run_id, error_index
            """,
            """
            select 'api error', stored_action_id, run_id, error_index, http_status, status, code, title, detail,
                   source_pointer, source_parameter, source_header, meta
              from api_errors order by run_id, error_index
            """,
            "select 'expired', run_id, executed_at, expires_at, evidence from expired_runs order by run_id",
        ] {
            rows += try await database.rows(query)
        }
        return rows
    }

    static let manifest: Manifest = {
        let executed = Date.daysAgo(1)
        var runs: [Manifest.Run] = []
        for number in UInt64(0)..<300 {
            let (scenario, parameter): (Scenario, Int) =
                switch number % 20 {
                case 3: (.error, 3)
                case 7: (.missing, 0)
                case 11: (.pending, 1)
                case 13: (.cut, 1)
                case 17: (.conflict, 0)
                case 19: (.large, 30)
                default: (.success, 0)
                }
            runs.append(Manifest.Run(scenario, parameter, number: number, executed: executed))
        }
        return Manifest(name: "killed", runs: runs)
    }()

    /// Requests after which the kill comes, drawn from a seed.
    private static func moments(seed: UInt64) -> [Int] {
        var state = seed
        return (0..<4).map { step in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return step * 70 + 1 + Int(state >> 33) % 60
        }
    }

    @Test(arguments: [UInt64(1), 2])
    func `An export killed at several moments and continued leaves what an undisturbed one leaves`(
        seed: UInt64
    ) async throws {
        let undisturbed = try await Stage.with("--seed", "3") { stage in
            let export = try await stage.export(Self.manifest)
            #expect(export.status == 3)
            return try await Self.stored(in: stage.database)
        }
        try await Stage.with("--seed", "3", "--latency", "60", "--latency-jitter", "60") { stage in
            for moment in Self.moments(seed: seed) {
                let killed = try await stage.export(Self.manifest, "--concurrency", "16") { running in
                    try await wait("request \(moment)") { try await stage.sandbox.stats.requests >= moment }
                    running.send(SIGKILL)
                }
                #expect(killed.status == -SIGKILL, "\(killed.finished.stderr)")
                #expect(killed.finished.stdout == "")
                // Its last transaction may still be under way on the server.
                try await wait("the killed export's session ends") {
                    try await stage.database.count(
                        """
                        pg_catalog.pg_stat_activity where datname = current_database()
                           and pid <> pg_catalog.pg_backend_pid() and application_name = 'stored-actions'
                        """) == 0
                }
                let settled = try await stage.database.rows(
                    "select run_id from runs where outcome in ('success', 'error')")
                let before = try await stage.sandbox.requestsByRun
                let partial = try await stage.database.count(
                    """
                    runs r where result_count <> (select count(*) from results x where x.run_id = r.run_id)
                              or error_count <> (select count(*) from errors x where x.run_id = r.run_id)
                    """)
                #expect(partial == 0, "half a run is stored")
                let next = try await stage.export(Self.manifest, "--concurrency", "16") { running in
                    let asked = try await stage.sandbox.stats.requests
                    try? await wait("some more", upTo: .seconds(8)) {
                        try await stage.sandbox.stats.requests > asked + 20
                    }
                    running.send(SIGKILL)
                }
                #expect(next.status == -SIGKILL || next.status == 3, "\(next.finished.stderr)")
                let after = try await stage.sandbox.requestsByRun
                for run in settled { #expect(after[run] == before[run], "\(run) was settled and asked for again") }
            }
            let last = try await stage.export(Self.manifest)
            #expect(last.status == 3, "\(last.finished.stderr)")
            let summary = try last.summary
            #expect(summary.items == 300)
            #expect(summary.outcomes.values.reduce(0, +) == 300)
            let rows = try await Self.stored(in: stage.database)
            #expect(rows.count == undisturbed.count)
            #expect(rows == undisturbed)
            #expect(
                try await stage.database.rows("select distinct outcome from exports order by 1")
                    == ["complete", "interrupted"])
            #expect(
                try await stage.database.count("exports where outcome = 'interrupted' and finished_at is null") == 0)
        }
    }

    @Test func `The lock of a killed export is free within seconds, and its row becomes interrupted`() async throws {
        try await Stage.with("--latency", "200") { stage in
            let manifest = Manifest.of(100)
            _ = try await stage.export(manifest, "--concurrency", "4") { running in
                try await wait("the first answers are stored") {
                    guard try await stage.database.holds("to_regclass('stored_actions.runs') is not null") else {
                        return false
                    }
                    return try await stage.database.count("runs where outcome = 'success'") > 0
                }
                running.send(SIGKILL)
            }
            #expect(try await stage.database.rows("select outcome, exit_status from exports") == ["running|"])
            let next = try await stage.export(manifest, limit: .seconds(30))
            #expect(next.status == 0, "\(next.finished.stderr)")
            #expect(
                try await stage.database.rows("select outcome, exit_status from exports order by export_id")
                    == ["interrupted|", "complete|0"])
        }
    }

    @Test func `An answer is committed within a second, however long others take`() async throws {
        try await Stage.with { stage in
            let export = try await stage.export(Manifest.endless(3)) { running in
                try await wait("the first answer") { try await stage.sandbox.finals.count == 1 }
                try await wait("its commit", upTo: .seconds(2)) {
                    try await stage.database.count("runs where outcome = 'success'") == 1
                }
                running.send(SIGKILL)
            }
            #expect(export.status == -SIGKILL)
            #expect(try await stage.database.count("results") == 0)
            #expect(
                try await stage.database.rows("select action from export_items where outcome = 'success'") == [
                    "fetched"
                ])
        }
    }
}
