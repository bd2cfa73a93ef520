import Foundation
import Postgres
import Testing

/// An API that fails for everybody is not hammered, and what failed for its sake is no fault of the runs.
@Suite("An API that fails for everybody")
struct CircuitTests {
    @Test func `It is probed by one request at a time, and when it is back the export goes on at full speed`()
        async throws
    {
        try await Stage.with("--latency", "250") { stage in
            let manifest = Manifest.of(600, .success, 3)
            let (failing, tell) = AsyncStream.makeStream(of: Int.self)
            let export = try await stage.export(manifest) { running in
                try await wait("some answers") { try await stage.sandbox.stats.requests > 40 }
                try await stage.sandbox.change(#"{"down": true}"#)
                let before = try await stage.sandbox.stats.requests
                // Twenty failures open it; what else left before that is at most as much as may be in flight.
                try await wait("probes", during: running) {
                    try await stage.sandbox.stats.requests >= before + 20 + 2
                }
                tell.yield(try await stage.sandbox.stats.requests - before)
                try await stage.sandbox.change(#"{"down": false}"#)
            }
            tell.finish()
            #expect(export.status == 0, "\(export.finished.stderr)")
            #expect(try export.summary.met == ["success": 600])
            for await requests in failing { #expect(requests <= 20 + 32 + 10) }
            #expect(try export.summary.requests.total <= 600 + 20 + 32 + 10)
            #expect(try await stage.database.count("results") == 1200)
        }
    }

    @Test func `One that stays so ends the export with 75: what was asked for failed, the rest is queued`() async throws
    {
        try await Stage.with { stage in
            let manifest = Manifest.of(300, .success, 3)
            try await stage.sandbox.change(#"{"down": true}"#)
            let export = try await stage.export(manifest)
            let summary = try export.summary
            #expect(export.status == 75, "\(export.finished.stderr)")
            #expect(try export.finished.object()["reason"] as? String != nil)
            #expect(summary.requests.total <= 20 + 32 + 7)
            #expect(summary.outcomes["failed", default: 0] >= 20)
            #expect(summary.outcomes["failed", default: 0] + summary.outcomes["queued", default: 0] == 300)
            try await stage.sandbox.change(#"{"down": false}"#)
            #expect(try await stage.export(manifest).status == 0)
        }
    }

    @Test func `Runs that always fail, and expire first, keep none behind them from being fetched`() async throws {
        try await Stage.with { stage in
            let bad = Manifest.of(60, .serverError, 0, executed: .daysAgo(6)).runs
            let manifest = Manifest(name: "today", runs: bad + Manifest.of(200, .success, 3).runs)
            let export = try await stage.export(manifest)
            #expect(export.status == 75, "\(export.finished.stderr)")
            #expect(try export.summary.met == ["success": 200, "failed": 60])
        }
    }
}
