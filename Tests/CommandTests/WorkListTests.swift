import Foundation
import Postgres
import Testing

/// Exports of more runs than are in memory at a time, and of runs whose time passes on the way.
@Suite("Long work lists")
struct WorkListTests {
    @Test func `2,300 runs, some of them past their time, are each asked for once`() async throws {
        try await Stage.with { stage in
            var manifest = Manifest.of(1200, .success, 1, executed: .daysAgo(2))
            manifest.runs += Manifest.of(1100, .success, 1, from: 5000, executed: .daysAgo(8)).runs
            let export = try await stage.export(manifest)
            #expect(export.status == 0, "\(export.finished.stderr)")
            #expect(try export.summary.met == ["success": 2300])
            #expect(try export.summary.requests.total == 2300)
            #expect(try await stage.sandbox.finals.values.allSatisfy { $0 == 1 })
        }
    }

    @Test func `1,500 runs that are pending at first are all had within one export`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest.of(1500, .pending, 1, executed: .daysAgo(2))
            let export = try await stage.export(manifest, "--max-wait", "1m")
            #expect(export.status == 0, "\(export.finished.stderr)")
            #expect(try export.summary.met == ["success": 1500])
            #expect(try export.summary.requests.total == 3000)
        }
    }

    @Test func `Runs whose time passes while the budget is waited for are asked for all the same`() async throws {
        try await Stage.with("--limit", "20", "--window", "2") { stage in
            let almost = Date.daysAgo(7 - 4.0 / 86_400)
            var manifest = Manifest.of(40, .success, 1, executed: almost)
            manifest.runs += Manifest.of(20, .missing, from: 100, executed: almost).runs
            manifest.runs += Manifest.of(20, .success, 1, from: 200, executed: .daysAgo(1)).runs
            let export = try await stage.export(manifest, "--budget-share", "1")
            let summary = try export.summary
            #expect(summary.outcomes["success"] == 60)
            // What is told as not there counts by the clock of its answer.
            #expect(summary.outcomes["expired", default: 0] + summary.outcomes["not_found", default: 0] == 20)
            #expect(summary.requests.total == 80)
        }
    }

    @Test func `The first and the last dates that a manifest can hold are kept`() async throws {
        try await Stage.with { stage in
            let runs = [
                Manifest.Run(.success, 2, number: 1, more: #", "executed_at": "1970-01-01T00:00:00Z""#),
                Manifest.Run(.success, 2, number: 2, more: #", "executed_at": "9999-12-31T23:59:59Z""#),
                Manifest.Run(.missing, number: 3, more: #", "executed_at": "9999-12-31T23:59:59Z""#),
            ]
            let export = try await stage.export(Manifest(runs: runs))
            #expect(export.status == 3, "\(export.finished.stderr)")
            #expect(
                try await stage.database.rows(
                    """
                    select outcome, (expires_at - interval '7 d') = executed_at
                      from runs order by executed_at, outcome
                    """
                )
                    == ["success|true", "not_found|true", "success|true"])
            #expect(try await stage.run("status").status == 0)
        }
    }

    @Test func `A time limit does not wait for answers that take long`() async throws {
        try await Stage.with { stage in
            let export = try await stage.export(Manifest.endless(3), "--time-limit", "10s")
            #expect(export.status == 75)
            #expect(try export.summary.met == ["success": 1, "queued": 3])
        }
    }

    @Test func `An unfinished export that was killed becomes interrupted with the next one`() async throws {
        try await Stage.with { stage in
            try await stage.sandbox.change(#"{"down": true}"#)
            _ = try await stage.export(Manifest.of(3, .success, 2))
            try await stage.sandbox.change(#"{"down": false, "latency": 60000}"#)
            let before = try await stage.sandbox.stats.requests
            let killed = try await stage.run("export", "--unfinished", "--json") { running in
                try await wait("a request") { try await stage.sandbox.stats.requests > before }
                running.send(SIGKILL)
            }
            #expect(killed.status == -SIGKILL)
            try await stage.sandbox.change(#"{"latency": 0}"#)
            let next = try await stage.run("export", "--unfinished", "--json")
            #expect(next.status == 0)
            #expect(
                try await stage.database.rows("select outcome from exports order by export_id")
                    == ["incomplete", "interrupted", "complete"])
        }
    }
}
