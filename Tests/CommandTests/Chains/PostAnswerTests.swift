import Foundation
import Postgres
import Testing

/// What the API makes of a POST, and what is told of a POST that may have started a run.
@Suite("Answers to POSTs")
struct PostAnswerTests {
    private struct Case: Sendable {
        let course: Chain.Course
        var times = 1
        /// POSTs for page 2, and runs of it.
        let posts: Int
        let runs: Int
        /// nil: it is followed to its last page.
        var end: String?
    }

    private static let refused = [
        Case(course: .postTooMany, times: 2, posts: 3, runs: 1), Case(course: .postUnavailable, posts: 2, runs: 1),
        Case(course: .postUnavailable, times: 3, posts: 4, runs: 1),
        Case(course: .postRejected, posts: 1, runs: 0, end: "page_error"),
        Case(course: .postForbidden, posts: 1, runs: 0, end: "page_error"),
        Case(course: .postNotFound, posts: 1, runs: 0, end: "page_error"),
        Case(course: .startedForms, times: 0, posts: 1, runs: 1),
    ]

    private static let doubtful: [Chain.Course] = [
        .startedServerError, .startedBadGateway, .startedGatewayTimeout, .startedWithoutID, .startedHTML, .startedLost,
        .startedCut,
    ]

    /// Four pages; the third is the one befallen.
    private static func chain(_ course: Chain.Course, _ number: Int, times: Int = 1) -> Chain {
        Chain(number: number, pages: 4, course: course, times: times)
    }

    @Test func `A POST that started nothing is repeated when the API asks for patience, and else ends its chain`()
        async throws
    {
        let chains = Self.refused.enumerated().map { Self.chain($1.course, $0 + 1, times: $1.times) }
        // With a limit the 429s, whose windows are not over, would be waited for as long as those.
        try await Stage.with("--run-limit", "0") { stage in
            let manifest = Manifest.following(chains)
            for call in 1...2 {
                let export = try await stage.export(manifest)
                #expect(export.status == 3, "\(export.finished.stderr)")
                #expect(try export.chains.chains == ["last_page": 4, "page_error": 3])
                #expect(try export.chains.openChains == 0)
                if call == 1 { #expect(try export.summary.rateLimited == 2) }
                for (chain, entry) in zip(chains, Self.refused) {
                    let pages = entry.end == nil ? [0, 1, 2, 3] : [0, 1]
                    var posts = stage.oncePosted(chain, pages)
                    posts["2"] = Sandbox.told(posts: entry.posts, runs: entry.runs)
                    let told = try await stage.sandbox.posts(of: chain)
                    #expect(told == posts, "\(entry.course)")
                    let end = try await stage.end(of: chain)
                    #expect(end == "\(pages.count)|\(pages.count * 2)|\(entry.end ?? "last_page")", "\(entry.course)")
                    let runs = try await stage.runs(of: chain)
                    #expect(runs == stage.successes(chain, pages), "\(entry.course)")
                    let differences = try await stage.differences(chain, pages: pages)
                    #expect(differences == [], "\(entry.course)")
                }
            }
            // What was never sent, or surely started nothing, leaves no intent in doubt.
            #expect(
                try await stage.database.count(
                    "page_intents i join page_chains c using (stored_action_id, root_run_id) where c.end_reason = 'last_page' and i.run_id is null"
                ) == 0)
        }
    }

    @Test func `A bad token at a POST ends the export with 77, and a good one continues it`() async throws {
        try await Stage.with { stage in
            let chain = Chain(number: 1, pages: 4)
            let manifest = Manifest.following([chain], name: "today")
            let first = try await stage.export(Manifest(runs: [Manifest.Run(chain, maxPages: 2)]))
            #expect(first.status == 3)
            let refused = try await stage.export(manifest, changes: ["ZAPIER_ACCESS_TOKEN": "wrong"])
            #expect(refused.status == 77, "\(refused.finished.stderr)")
            #expect(try await stage.database.count("page_intents where run_id is null") == 0)
            let next = try await stage.export(manifest)
            #expect(next.status == 0, "\(next.finished.stderr)")
            try await stage.expectWhole(chain)
        }
    }

    @Test
    func `A POST that may have started a run is never repeated, and is reported with the commands that resolve it`()
        async throws
    {
        let chains = Self.doubtful.enumerated().map { Self.chain($1, $0 + 1) }
        let neighbour = Chain(number: 99)
        try await Stage.with { stage in
            let manifest = Manifest.following(chains + [neighbour])
            let path = try stage.write(manifest.json, to: "today.json")
            for call in 1...3 {
                // The second time for people.
                let arguments = ["export", "--manifest", path] + (call == 2 ? [] : ["--json"])
                let finished = try await stage.run(arguments)
                #expect(finished.status == 4, "\(finished.stderr)")
                for chain in chains {
                    #expect(try await stage.sandbox.posts(of: chain) == stage.oncePosted(chain, [0, 1, 2]))
                    #expect(try await stage.end(of: chain) == "2|4|submit_unknown")
                    let commands = ["--run-id RUN_ID", "--not-sent"].map {
                        "stored-actions resolve --chain \(chain.root) \($0)"
                    }
                    guard call != 2 else {
                        for command in commands { #expect(finished.stdout.contains(command), "\(finished.stdout)") }
                        continue
                    }
                    let summary: ChainSummary = try finished.decoded()
                    let doubt = try #require(summary.chainsInDoubt.first { $0.rootRunId == chain.root })
                    #expect(doubt.storedActionId == chain.action)
                    #expect(doubt.pageNumber == 2)
                    #expect(doubt.resolve.count == 2)
                    for command in commands {
                        #expect(doubt.resolve.contains { $0.contains(command) }, "\(doubt.resolve)")
                    }
                }
                if call != 2 {
                    let summary: ChainSummary = try finished.decoded()
                    #expect(summary.chains == ["submit_unknown": chains.count, "last_page": 1])
                    #expect(summary.chainsInDoubt.count == chains.count)
                }
            }
            try await stage.expectWhole(neighbour)
            #expect(try await stage.sandbox.stats.byStatus["none"] == 1)
        }
    }

    @Test func `resolve --run-id hands the run to the chain, and the export completes it without another POST`()
        async throws
    {
        let chains = Self.doubtful.enumerated().map { Self.chain($1, $0 + 1) }
        try await Stage.with { stage in
            let manifest = Manifest.following(chains)
            #expect(try await stage.export(manifest).status == 4)
            for (index, chain) in chains.enumerated() {
                let started = try await stage.sandbox.submissions(of: chain).first { $0.page == "2" }
                let run = try #require(started?.runIds.first)
                let json = index % 2 == 0 ? ["--json"] : []
                let resolved = try await stage.run(["resolve", "--chain", chain.root, "--run-id", run] + json)
                #expect(resolved.status == 0, "\(resolved.stderr)")
                if !json.isEmpty { #expect(try !resolved.object().isEmpty) }
                #expect(try await stage.end(of: chain) == "2|4|")
                // What is settled is not in doubt any more.
                let again = try await stage.run("resolve", "--chain", chain.root, "--run-id", run)
                #expect(again.status == 64, "\(again.stdout)")
            }
            let export = try await stage.export(manifest)
            #expect(export.status == 0, "\(export.finished.stderr)")
            #expect(try export.chains.chains == ["last_page": chains.count])
            #expect(try export.chains.pagesFollowed == 2 * chains.count)
            for chain in chains { try await stage.expectWhole(chain, "\(chain.course)") }
        }
    }

    @Test func `resolve --not-sent lets the chain ask for the page again`() async throws {
        try await Stage.with { stage in
            let chain = Self.chain(.startedHTML, 1)
            #expect(try await stage.export(Manifest.following([chain])).status == 4)
            let resolved = try await stage.run("resolve", "--chain", chain.root, "--not-sent")
            #expect(resolved.status == 0, "\(resolved.stderr)")
            #expect(try await stage.end(of: chain) == "2|4|")
            #expect(try await stage.database.count("page_intents where run_id is null") == 0)
            let export = try await stage.export(Manifest.following([chain]))
            #expect(export.status == 0, "\(export.finished.stderr)")
            var posts = stage.oncePosted(chain, [0, 1, 2, 3])
            posts["2"] = Sandbox.told(posts: 2, runs: 2)
            #expect(try await stage.sandbox.posts(of: chain) == posts)
            #expect(try await stage.differences(chain, pages: [0, 1, 2, 3]) == [])
            #expect(try await stage.end(of: chain) == "4|8|last_page")
        }
    }

    @Test func `resolve refuses with 64 what is not in doubt, and what it does not understand`() async throws {
        try await Stage.with { stage in
            let doubtful = Self.chain(.startedHTML, 1)
            let ended = Chain(number: 2)
            #expect(try await stage.export(Manifest.following([doubtful, ended])).status == 4)
            let run = doubtful.run(2)
            let calls: [[String]] = [
                ["--chain", ended.root, "--not-sent"], ["--chain", ended.root, "--run-id", run],
                ["--chain", run, "--not-sent"], ["--chain", Chain(number: 3).root, "--not-sent"],
                ["--chain", doubtful.root], ["--chain", doubtful.root, "--not-sent", "--run-id", run],
                ["--chain", doubtful.root, "--run-id", "RUN_ID"], ["--chain", "ROOT", "--not-sent"],
                ["--not-sent"], ["--run-id", run],
                ["--chain", doubtful.root, "--not-sent", "--stored-action", Chain.Action.readBulk.id(77)],
                ["--chain", doubtful.root, "--not-sent", "--stored-action", "list"],
            ]
            let everything = try await stage.database.everything()
            for call in calls {
                let finished = try await stage.run(["resolve", "--json"] + call)
                #expect(finished.status == 64, "\(call): \(finished.stdout) \(finished.stderr)")
                #expect(try finished.object()["exit_status"] as? Int == 64, "\(call)")
            }
            #expect(try await stage.database.everything() == everything)
            #expect(try await stage.end(of: doubtful) == "2|4|submit_unknown")
        }
    }

    @Test func `Chains of one root under two stored actions are resolved apart, each by its action`() async throws {
        try await Stage.with { stage in
            let one = Self.chain(.startedCut, 1)
            let two = one.of(Chain.Action.readBulk.id(2))
            let manifest = Manifest.following([one, two])
            #expect(try await stage.export(manifest).status == 4)
            let resolve = ["resolve", "--chain", one.root, "--run-id", one.run(2)]
            #expect(try await stage.run(resolve).status == 64)
            #expect(try await stage.end(of: one) == "2|4|submit_unknown")
            #expect(try await stage.end(of: two) == "2|4|submit_unknown")
            let resolved = try await stage.run(resolve + ["--stored-action", two.action])
            #expect(resolved.status == 0, "\(resolved.stderr)")
            #expect(try await stage.end(of: one) == "2|4|submit_unknown")
            #expect(try await stage.end(of: two) == "2|4|")
            let other = try await stage.run(resolve + ["--stored-action", one.action])
            #expect(other.status == 0, "\(other.stderr)")
            #expect(try await stage.export(manifest).status == 0)
            try await stage.expectWhole(one)
            try await stage.expectWhole(two)
        }
    }
}
