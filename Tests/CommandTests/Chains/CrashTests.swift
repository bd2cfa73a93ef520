import Foundation
import Postgres
import Testing

import Glibc

/// The real program killed at each step of a page: no POST is doubled, no page lost.
@Suite("Chains of killed exports")
struct CrashTests {
    struct Point: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var database: [Proxy.Trigger] = []
        var api: [Proxy.Trigger] = []
        /// Four pages: page n is the n-th POST and the n-th read behind the root's.
        var chain = Chain(number: 1, pages: 4)
        /// POSTs of page 2.
        var posts = 1
        /// POSTs that the sandbox has to have got before the kill.
        var awaitedPosts = 0

        static func database(_ what: String, _ trigger: Proxy.Trigger) -> Point {
            Point(testDescription: what, database: [trigger])
        }

        static func api(_ what: String, _ trigger: Proxy.Trigger, awaitedPosts: Int = 0) -> Point {
            Point(testDescription: what, api: [trigger], awaitedPosts: awaitedPosts)
        }
    }

    static let points: [Point] = [
        .database("before the root's rows are committed", .held(at: .copy, .commit)),
        .database("as the root's rows are committed", .sent(at: .copy, .commit)),
        .database("after the root's rows are committed", .answered(at: .copy, .commit)),
        .api("before the look-up", .held(at: .lookup)),
        .api("as the look-up is answered", .answered(at: .lookup)),
        .database("before the intent", .held(at: .intent)),
        .database("as the intent is written", .sent(at: .intent)),
        .database("after the intent is written", .answered(at: .intent)),
        .database("before the intent's commit", .held(at: .intent, .commit)),
        .database("as the intent is committed", .sent(at: .intent, .commit)),
        .database("after the intent's commit", .answered(at: .intent, .commit)),
        .api("before the POST", .held(at: .post)),
        .api("after the POST", .sent(at: .post), awaitedPosts: 1),
        .api("as the POST is answered", .answered(at: .post)),
        .database("before the run id is recorded", .held(at: .recording)),
        .database("as the run id is recorded", .sent(at: .recording)),
        .database("after the run id is recorded", .answered(at: .recording)),
        .database("before the commit of the run id", .held(at: .recording, .commit)),
        .database("as the run id is committed", .sent(at: .recording, .commit)),
        .database("after the commit of the run id", .answered(at: .recording, .commit)),
        .api("before the page is read", .held(at: .read, occurrence: 2)),
        .api("after the page is asked for", .sent(at: .read, occurrence: 2)),
        .api("as the page arrives", .answered(at: .read, occurrence: 2)),
        .database("before the page's COPY", .held(at: .copy, occurrence: 2)),
        .database("in the page's COPY", .answered(at: .copy, occurrence: 2)),
        .database("before the page's commit", .held(at: .copy, .commit, occurrence: 2)),
        .database("as the page is committed", .sent(at: .copy, .commit, occurrence: 2)),
        .database("after the page's commit", .answered(at: .copy, .commit, occurrence: 2)),
        .database("between two pages", .held(at: .intent, occurrence: 2)),
        .database("after the second intent's commit", .answered(at: .intent, .commit, occurrence: 2)),
        .api("before the second POST", .held(at: .post, occurrence: 2)),
        .api("as the second POST is answered", .answered(at: .post, occurrence: 2)),
        .api("as the last POST is answered", .answered(at: .post, occurrence: 3)),
        .database("before the last run id is recorded", .held(at: .recording, occurrence: 3)),
        .database("before the last page's commit", .held(at: .copy, .commit, occurrence: 4)),
        .database("after the last page's commit", .answered(at: .copy, .commit, occurrence: 4)),
        Point(
            testDescription: "while a page is pending", api: [.held(at: .read, occurrence: 4)],
            chain: Chain(number: 1, pages: 4, course: .pendingPage, times: 2)),
        Point(
            testDescription: "before the POST of a further attempt", api: [.held(at: .post, occurrence: 3)],
            chain: Chain(number: 1, pages: 4, course: .throttledPage, times: 1), posts: 2),
        Point(
            testDescription: "as the POST of a further attempt is answered",
            api: [.answered(at: .post, occurrence: 3)],
            chain: Chain(number: 1, pages: 4, course: .throttledPage, times: 1), posts: 2),
    ]

    @Test(arguments: points)
    func `An export killed at a step of a page is continued with every page had once and every row exact`(
        _ point: Point
    ) async throws {
        try await Stage.with { stage in
            let chain = point.chain
            let manifest = Manifest.following([chain])
            #expect(try await stage.run("migrate").status == 0)
            let killed = try await stage.withProxies(database: point.database, api: point.api) { proxies in
                try await stage.export(manifest, changes: proxies.changes) { running in
                    try await wait("the export is \(point.testDescription)") { proxies.fired == 1 }
                    try await wait("the POST is there") {
                        try await stage.sandbox.kinds.runs >= point.awaitedPosts
                    }
                    running.send(SIGKILL)
                }
            }
            #expect(killed.status == -SIGKILL, "\(killed.finished.stderr)")
            try await stage.waitForSessionsToEnd()
            let settled = try await stage.database.rows("select run_id from runs where outcome = 'success'")
            let before = try await stage.sandbox.requestsByRun

            let last = try await stage.continueTruthfully(manifest, chain)
            #expect(last.status == 0, "\(last.finished.stderr)")
            let after = try await stage.sandbox.requestsByRun
            for run in settled { #expect(after[run] == before[run], "\(run) was settled and asked for again") }
            try await expectWhole(point, on: stage)
            let exports = try await stage.database.rows("select outcome, exit_status from exports order by export_id")
            #expect(exports.first == "interrupted|")
            #expect(
                exports.dropFirst().dropLast().allSatisfy { ["incomplete|4", "incomplete|75"].contains($0) },
                "\(exports)")
            #expect(exports.last == "complete|0")
        }
    }

    private func expectWhole(_ point: Point, on stage: Stage) async throws {
        let chain = point.chain
        guard point.posts > 1 else {
            try await stage.expectWhole(chain)
            let intents = try await stage.database.rows(
                "select page_number, attempt, run_id, page from page_intents order by page_number, attempt")
            #expect(intents == (1...3).map { "\($0)|1|\(chain.run($0))|\(chain.cursor($0))" })
            return
        }
        var posts = stage.oncePosted(chain, [0, 1, 2, 3])
        posts[chain.cursor(2)] = Sandbox.told(posts: point.posts, runs: point.posts)
        #expect(try await stage.sandbox.posts(of: chain) == posts)
        #expect(try await stage.end(of: chain) == "4|8|last_page")
        #expect(try await stage.differences(chain, pages: [0, 1, 2, 3]) == [])
        #expect(
            try await stage.database.rows("select page_number, attempt from page_intents order by page_number, attempt")
                == ["1|1", "2|1", "2|2", "3|1"])
    }
}

extension Stage {
    /// Runs the same command until it is complete. What it tells to be in doubt is resolved as the sandbox knows it
    /// to be.
    func continueTruthfully(_ manifest: Manifest, _ chain: Chain) async throws -> Export {
        var export = try await export(manifest)
        for _ in 1...5 where [4, 75].contains(export.status) {
            let doubts = try export.chains.chainsInDoubt
            for doubt in doubts {
                let cursor = chain.cursor(doubt.pageNumber)
                let known = try await database.rows("select run_id from runs")
                let started = try await sandbox.submissions(of: chain).filter { $0.page == cursor }.flatMap(\.runIds)
                    .filter { !known.contains($0) }
                let truth = started.first.map { ["--run-id", $0] } ?? ["--not-sent"]
                let resolved = try await run(["resolve", "--chain", doubt.rootRunId] + truth)
                #expect(resolved.status == 0, "\(resolved.stderr)")
            }
            #expect(!doubts.isEmpty, "\(export.finished.stdout)")
            if doubts.isEmpty { break }
            export = try await self.export(manifest)
        }
        return export
    }
}
