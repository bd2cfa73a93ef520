import Foundation
import Postgres
import Testing

/// POSTs are paid from a bucket of their own.
@Suite("Budgets of chains")
struct ChainBudgetTests {
    @Test func `POSTs that are spent hold up no read`() async throws {
        try await Stage.with("--run-limit", "3", "--window", "600") { stage in
            let chains = [Chain(number: 1, pages: 5), Chain(number: 2, pages: 5)]
            let plain = Manifest.of(100, .success, 2)
            let manifest = Manifest(runs: chains.map { Manifest.Run($0) } + plain.runs)
            let export = try await stage.export(manifest, "--budget-share", "1", "--time-limit", "500s")
            #expect(export.status == 75, "\(export.finished.stderr)")
            #expect(try export.summary.met == ["success": 102])
            #expect(try export.chains.openChains == 2)
            #expect(try export.chains.pagesFollowed == 3)
            let stats = try await stage.sandbox.stats
            #expect(try await stage.sandbox.kinds.runs == 3)
            #expect(stats.rateLimited == 0)
            // It could do nothing more before its time limit.
            #expect(export.finished.stdout.contains("come back at"), "\(export.finished.stdout)")
        }
    }

    @Test func `Reads that are spent hold up no POST`() async throws {
        try await Stage.with("--limit", "9", "--run-limit", "0", "--window", "600") { stage in
            let chains = (1...3).map { Chain(number: $0, pages: 9) }
            let export = try await stage.export(
                Manifest.following(chains), "--budget-share", "1", "--time-limit", "500s")
            #expect(export.status == 75, "\(export.finished.stderr)")
            let kinds = try await stage.sandbox.kinds
            #expect(kinds.reads + kinds.lookups == 9)
            // Every cursor that was read has been posted.
            let cursors = try await stage.database.count("runs where outcome = 'success' and next_page is not null")
            #expect(kinds.runs == cursors)
            #expect(cursors >= 3)
            #expect(try await stage.sandbox.stats.rateLimited == 0)
        }
    }

    @Test func `Both buckets are spent to the full and no further, window after window`() async throws {
        try await Stage.with("--limit", "12", "--run-limit", "6", "--window", "2") { stage in
            let chains = (1...3).map { Chain(number: $0, pages: 7) }
            let export = try await stage.export(Manifest.following(chains), "--budget-share", "1")
            #expect(export.status == 0, "\(export.finished.stderr)")
            #expect(try await stage.sandbox.stats.rateLimited == 0)
            #expect(try export.summary.rateLimited == 0)
            // 18 POSTs need three windows, 22 reads two: all but the last are spent.
            #expect(export.finished.windowsWaitedFor("requests for pages") <= 2, "\(export.finished.stderr)")
            #expect(export.finished.windowsWaitedFor("reads") <= 1, "\(export.finished.stderr)")
            try await stage.sandbox.change(#"{"limit": 0}"#)
            for chain in chains { try await stage.expectWhole(chain) }
        }
    }

    @Test func `--budget-share leaves its part of the runs bucket to others`() async throws {
        try await Stage.with("--run-limit", "20", "--window", "600") { stage in
            let chains = (1...4).map { Chain(number: $0, pages: 9) }
            let export = try await stage.export(
                Manifest.following(chains), "--budget-share", "0.5", "--time-limit", "500s")
            #expect(export.status == 75, "\(export.finished.stderr)")
            #expect(try await stage.sandbox.kinds.runs == 10)
        }
    }

    @Test func `Chains advance side by side`() async throws {
        try await Stage.with("--latency", "100") { stage in
            let chains = (1...8).map { Chain(number: $0, pages: 5) }
            let export = try await stage.export(Manifest.following(chains), "--concurrency", "8")
            #expect(export.status == 0, "\(export.finished.stderr)")
            let most = try await stage.sandbox.stats.maxInFlight
            #expect(most > 3 && most <= 8, "\(most) in flight")
            for chain in chains { try await stage.expectWhole(chain) }
        }
    }

    @Test func `The summary's requests are those that the API counted, by status`() async throws {
        try await Stage.with("--run-limit", "0") { stage in
            let chains = [
                Chain(number: 1, pages: 5), Chain(number: 2, course: .postTooMany, times: 1),
                Chain(number: 3, course: .startedLost, times: 1), Chain(number: 4, course: .pendingPage, times: 1),
                Chain(number: 5, action: Chain.Action.failingLookup.id(1, parameter: 1)),
                Chain(number: 6, course: .postForbidden), Chain(number: 7, action: Chain.Action.missingLookup.id(1)),
            ]
            let export = try await stage.export(Manifest.following(chains))
            #expect(export.status == 4, "\(export.finished.stderr)")
            let (summary, stats) = (try export.summary, try await stage.sandbox.stats)
            #expect(summary.requests.total == stats.requests)
            #expect(summary.requests.byStatus.filter { $0.value > 0 } == stats.byStatus.filter { $0.value > 0 })
            #expect(summary.rateLimited == 1)
            #expect(
                try await stage.database.value("select requests, rate_limited from exports") == "\(stats.requests)|1")
        }
    }
}
