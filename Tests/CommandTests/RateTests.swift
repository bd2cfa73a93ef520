import Foundation
import Postgres
import Testing

import Glibc

/// The API's rate limits, learned from its headers alone.
@Suite("Rate limits")
struct RateTests {
    @Test func `300 runs under 60 requests per 3 seconds meet no 429, and wait for no window that is not spent`()
        async throws
    {
        try await Stage.with("--limit", "60", "--window", "3") { stage in
            let export = try await stage.export(Manifest.of(300, .success, 2), "--budget-share", "1")
            let summary = try export.summary
            #expect(export.status == 0)
            let stats = try await stage.sandbox.stats
            #expect(stats.rateLimited == 0)
            #expect(summary.rateLimited == 0)
            #expect(stats.requests == 300)
            // Four windows of 60 are spent before the last 60 may go.
            #expect(export.finished.windowsWaitedFor() <= 4, "\(export.finished.stderr)")
        }
    }

    @Test func `The summary reports how long requests waited for the window`() async throws {
        try await Stage.with("--limit", "10", "--window", "600") { stage in
            let export = try await stage.export(Manifest.of(30, .success, 2), "--budget-share", "1") { running in
                try await wait("the window is spent", during: running) {
                    try await stage.database.storedSuccesses == 10
                }
                // The export waits for all of this time.
                #expect(try await stage.run("status").status == 0)
                running.send(SIGTERM)
            }
            #expect(export.status == 143, "\(export.finished.stderr)")
            let summary = try export.summary
            #expect(summary.waitedForBudgetS > 0 && summary.waitedForBudgetS <= summary.durationS)
        }
    }

    @Test(arguments: ["epoch", "epoch-ms", "epoch-fraction", "iso8601", "seconds"])
    func `The reset is understood in every form, whatever the server's clock says`(_ form: String) async throws {
        for offset in ["0", "-7200", "86400"] {
            try await Stage.with(
                "--limit", "20", "--window", "2", "--reset-format", form, "--clock-offset=\(offset)"
            ) { stage in
                let export = try await stage.export(Manifest.of(60, .success, 2), "--budget-share", "1")
                #expect(export.status == 0, "\(form), clock off by \(offset) s")
                #expect(try await stage.sandbox.stats.rateLimited == 0, "\(form), clock off by \(offset) s")
                // Two windows of 20 are spent before the last 20 may go.
                #expect(
                    export.finished.windowsWaitedFor() <= 2,
                    "\(form), clock off by \(offset) s: \(export.finished.stderr)")
            }
        }
    }

    @Test func `Without a reset header one request at a time finds the window's end`() async throws {
        try await Stage.with("--limit", "20", "--window", "2", "--reset-format", "none") { stage in
            let export = try await stage.export(Manifest.of(50, .success, 2), "--budget-share", "1")
            #expect(export.status == 0)
            #expect(try export.summary.met == ["success": 50])
            let limited = try await stage.sandbox.stats.rateLimited
            #expect(limited <= 6, "\(limited)")
            #expect(try export.summary.rateLimited == limited)
        }
    }

    @Test func `--budget-share leaves its part of each window to others`() async throws {
        try await Stage.with("--limit", "40", "--window", "600") { stage in
            // It ends as soon as there is nothing to do before its time limit.
            let export = try await stage.export(
                Manifest.of(60, .success, 2), "--budget-share", "0.5", "--time-limit", "500s")
            #expect(export.status == 75)
            // A window is spent only while more than half of it remains.
            #expect(try await stage.sandbox.stats.requests == 20)
            #expect(try export.summary.outcomes["queued"] == 40)
        }
    }

    @Test func `An export that could do nothing more before its time limit ends at once`() async throws {
        try await Stage.with("--limit", "10", "--window", "600") { stage in
            // Shorter than the rest of the window.
            let export = try await stage.export(
                Manifest.of(30, .success, 2), "--budget-share", "1", "--time-limit", "500s")
            #expect(export.status == 75)
            #expect(export.finished.stdout.contains("come back at"), "\(export.finished.stdout)")
            #expect(try await stage.sandbox.stats.requests == 10)
        }
    }

    @Test func `Without limits as many requests are in flight as --concurrency allows, and no more`() async throws {
        try await Stage.with("--latency", "250") { stage in
            let export = try await stage.export(Manifest.of(200, .success, 2), "--concurrency", "24")
            #expect(export.status == 0)
            let most = try await stage.sandbox.stats.maxInFlight
            #expect(most > 8 && most <= 24, "\(most) in flight")
        }
    }

    @Test(arguments: ["seconds", "date", "none"])
    func `A 429 that another program's spending causes freezes the bucket, and no run fails by it`(
        _ retryAfter: String
    ) async throws {
        try await Stage.with("--limit", "30", "--window", "2", "--retry-after", retryAfter) { stage in
            #expect(try await stage.run("migrate").status == 0)
            let manifest = Manifest.of(60, .success, 2, from: 100)
            let path = try stage.write(manifest.json, to: "today.json")
            let other = Manifest.of(60, .success, 2, from: 500, name: "other")
            async let one = stage.run("export", "--json", "--manifest", path, "--budget-share", "1")
            async let two = stage.export(other, "--budget-share", "1")
            let summaries = try await [one.decoded(Summary.self), two.summary]
            for summary in summaries { #expect(summary.met == ["success": 60]) }
            let limited = try await stage.sandbox.stats.rateLimited
            #expect(summaries.map(\.rateLimited).reduce(0, +) == limited)
            // What is in flight together may be refused together; then the bucket is frozen. Without that there would
            // be thousands.
            #expect(limited < 200, "\(limited)")
        }
    }
}
