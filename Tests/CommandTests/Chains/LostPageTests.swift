import Foundation
import Postgres
import Testing

/// Pages that cannot be had, or not yet.
@Suite("Pages that cannot be had")
struct LostPageTests {
    /// A page in the middle of 4 is lost: pages 0 and 1 are there, page 2 is not.
    @Test(arguments: [
        (Chain.Course.errorPage, "error"), (.rejectedPage, "rejected"), (.forbiddenPage, "forbidden"),
    ])
    func `A page that the API or the partner refuses ends its chain as page_error, and keeps the rows before it`(
        _ course: Chain.Course, _ outcome: String
    ) async throws {
        try await Stage.with { stage in
            let chain = Chain(number: 1, pages: 4, course: course)
            let export = try await stage.export(Manifest.following([chain]))
            #expect(export.status == 3, "\(export.finished.stderr)")
            #expect(try export.chains.chains == ["page_error": 1])
            #expect(try export.chains.pagesFollowed == 1)
            #expect(try export.summary.met == ["success": 1])
            #expect(try await stage.sandbox.posts(of: chain) == stage.oncePosted(chain, [0, 1, 2]))
            let runs = try await stage.runs(of: chain)
            #expect(runs == stage.successes(chain, [0, 1]) + ["2|\(outcome)|\(chain.run(2))|2"])
            #expect(try await stage.end(of: chain) == "2|4|page_error")
            #expect(try await stage.detail(of: chain)?.isEmpty == false)
            #expect(try await stage.differences(chain, pages: [0, 1]) == [])
            let forgiven = try await stage.export(Manifest.following([chain]), "--fail-on", "none")
            #expect(forgiven.status == 0)
            #expect(try await stage.sandbox.posts(of: chain) == stage.oncePosted(chain, [0, 1, 2]))
        }
    }

    @Test(arguments: [
        (Chain.Course.errorPage, "error", "page_error", Int32(3)), (.rejectedPage, "rejected", "page_error", 3),
        (.forbiddenPage, "forbidden", "page_error", 3), (.expiredPage, "expired", "page_expired", 3),
    ])
    func `A root that cannot be fetched ends its chain without one POST`(
        _ course: Chain.Course, _ outcome: String, _ end: String, _ status: Int32
    ) async throws {
        try await Stage.with { stage in
            let chain = Chain(number: 1, course: course, place: Chain.atRoot)
            let export = try await stage.export(Manifest.following([chain]))
            #expect(export.status == status, "\(export.finished.stderr)")
            #expect(try export.summary.met == [outcome: 1])
            #expect(try export.chains.chains == [end: 1])
            #expect(try await stage.sandbox.submissions.isEmpty)
            let row = try await stage.end(of: chain)
            #expect(row == "0|0|\(end)")
        }
    }

    @Test(arguments: [Chain.Course.throttledPage, .systemThrottledPage])
    func `A page that the partner throttles is asked for again after its delay, as a further attempt`(
        _ course: Chain.Course
    ) async throws {
        try await Stage.with { stage in
            let chain = Chain(number: 1, pages: 4, course: course, times: 2)
            let export = try await stage.export(Manifest.following([chain]))
            #expect(export.status == 0, "\(export.finished.stderr)")
            #expect(try export.chains.chains == ["last_page": 1])
            #expect(try export.summary.durationS >= 2)
            var posts = stage.oncePosted(chain, [0, 1, 2, 3])
            posts["2"] = Sandbox.told(posts: 3, runs: 3)
            #expect(try await stage.sandbox.posts(of: chain) == posts)
            #expect(
                try await stage.runs(of: chain).map { $0.split(separator: "|").prefix(2).joined(separator: "|") }
                    == ["0|success", "1|success", "2|error", "2|error", "2|success", "3|success"])
            #expect(try await stage.end(of: chain) == "4|8|last_page")
            #expect(try await stage.differences(chain, pages: [0, 1, 2, 3]) == [])
            #expect(
                try await stage.database.rows(
                    "select page_number, attempt from page_intents order by page_number, attempt")
                    == ["1|1", "2|1", "2|2", "2|3", "3|1"])
        }
    }

    @Test(arguments: [
        (Chain.Course.pendingPage, "pending"), (.waitingPage, "waiting"), (.failedPage, "failed"),
    ])
    func `A page that does not come leaves its chain open, and the export incomplete`(
        _ course: Chain.Course, _ outcome: String
    ) async throws {
        try await Stage.with { stage in
            let chain = Chain(number: 1, pages: 4, course: course)
            for call in 1...2 {
                let export = try await stage.export(Manifest.following([chain]), "--max-wait", "0")
                #expect(export.status == 75, "\(export.finished.stderr)")
                #expect(try export.chains.openChains == 1)
                #expect(try export.chains.chains == [:])
                #expect(try export.summary.met == ["success": 1])
                #expect(try export.chains.pagesFollowed == (call == 1 ? 1 : 0))
                #expect(try await stage.end(of: chain) == "2|4|")
                #expect(
                    try await stage.runs(of: chain)
                        == stage.successes(chain, [0, 1]) + ["2|\(outcome)|\(chain.run(2))|2"])
                #expect(try await stage.sandbox.posts(of: chain) == stage.oncePosted(chain, [0, 1, 2]))
            }
        }
    }

    @Test(arguments: [Chain.Course.pendingPage, .waitingPage])
    func `A root that does not come leaves its chain without an end, and counts as any run does`(
        _ course: Chain.Course
    ) async throws {
        try await Stage.with { stage in
            let chain = Chain(number: 1, pages: 4, course: course, place: Chain.atRoot)
            for (options, status) in [([], Int32(75)), (["--allow", "pending,waiting"], 0)] {
                let path = try stage.write(Manifest.following([chain]).json, to: "today.json")
                let finished = try await stage.run(
                    ["export", "--json", "--manifest", path, "--max-wait", "0"] + options)
                #expect(finished.status == status, "\(finished.stderr)")
                let summary: ChainSummary = try finished.decoded()
                #expect(summary.chains == [:])
                #expect(try await stage.end(of: chain) == "0|0|")
            }
            #expect(try await stage.sandbox.submissions.isEmpty)
        }
    }
}
