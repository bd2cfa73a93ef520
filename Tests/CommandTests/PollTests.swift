import Foundation
import Postgres
import Testing

/// Runs that are not finished when they are first asked for.
@Suite("Polls")
struct PollTests {
    @Test func `Pending and waiting runs that finish do so within one export`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest(runs: [
                Manifest.Run(.pending, 2, number: 1), Manifest.Run(.waiting, 1, number: 3),
                Manifest.Run(.success, 2, number: 4),
            ])
            let export = try await stage.export(manifest, "--max-wait", "1m")
            #expect(export.status == 0)
            #expect(try export.summary.met == ["success": 3])
            #expect(try export.summary.requests.total == 6)
            let rows = try await stage.database.rows(
                "select status, result_count > 0 from runs where outcome = 'success'")
            #expect(rows.count == 3)
            // What a waiting answer carried is not stored; what the finished one did is, once.
            #expect(
                try await stage.database.count(
                    "runs r where result_count <> (select count(*) from results x where x.run_id = r.run_id)") == 0)
        }
    }

    @Test func `--max-wait 0 asks for no run twice`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest(runs: [Manifest.Run(.pending, 1, number: 1), Manifest.Run(.waiting, 1, number: 3)])
            let export = try await stage.export(manifest, "--max-wait", "0")
            #expect(export.status == 75)
            #expect(try export.summary.met == ["pending": 1, "waiting": 1])
            #expect(try await stage.sandbox.requestsByRun.values.allSatisfy { $0 == 1 })
            // Rows that a waiting run carries are not stored yet.
            #expect(try await stage.database.count("results") == 0)
            let next = try await stage.export(manifest, "--max-wait", "0")
            #expect(next.status == 0)
        }
    }

    @Test func `Polling goes on for --max-wait and no longer once nothing else is left`() async throws {
        try await Stage.with { stage in
            let export = try await stage.export(Manifest(runs: [Manifest.Run(.pending, number: 1)]), "--max-wait", "5s")
            #expect(export.status == 75)
            #expect(try await (2...5).contains(stage.sandbox.stats.requests))
            #expect(try await stage.database.value("select outcome from runs") == "pending")
        }
    }

    @Test func `Polls do not keep first fetches waiting`() async throws {
        try await Stage.with("--limit", "40", "--window", "2") { stage in
            var runs = (0..<30).map { Manifest.Run(.pending, 1, number: $0, executed: .daysAgo(6)) }
            runs += (0..<60).map { Manifest.Run(.success, 1, number: 100 + $0, executed: .daysAgo(1)) }
            let export = try await stage.export(
                Manifest(runs: runs), "--budget-share", "1", "--max-wait", "1m", "--concurrency", "1")
            #expect(export.status == 0)
            // The pending ones are first, for they expire first; their second round comes after every first fetch.
            let early = try await stage.database.count(
                """
                runs p where p.run_id::text like '20200000%'
                  and p.fetched_at < (select max(s.fetched_at) from runs s where s.run_id::text like '20000000%')
                """)
            #expect(early == 0)
        }
    }

    @Test func `What expires first is fetched first, and what is past its time last`() async throws {
        try await Stage.with("--latency", "20") { stage in
            let ages = [0.5, 6.9, 3, 8, 5, 1, 7.5, 6]
            let runs = ages.enumerated().map { index, days in
                Manifest.Run(.success, 1, number: UInt64(index), executed: .daysAgo(days))
            }
            _ = try await stage.export(Manifest(runs: runs), "--concurrency", "1")
            let order = try await stage.database.rows("select run_id from runs order by fetched_at")
            let young = ages.indices.filter { ages[$0] < 7 }.sorted { ages[$0] > ages[$1] }
            #expect(Array(order.prefix(6)) == young.map { runs[$0].id })
            #expect(Set(order.suffix(2)) == [runs[3].id, runs[6].id])
        }
    }
}
