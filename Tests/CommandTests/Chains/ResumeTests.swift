import Foundation
import Postgres
import Testing

import Glibc

/// Chains that an export left where they were, taken up by a later one.
@Suite("Chains taken up again")
struct ResumeTests {
    @Test(arguments: [Int32(75), 143])
    func `The same command takes every chain up where an export was cut short, and posts no cursor twice`(
        _ status: Int32
    ) async throws {
        try await Stage.with("--latency", "150") { stage in
            let chains = (1...3).map { Chain(number: $0, pages: 25, rows: 2, cursors: .opaque) }
            let manifest = Manifest.following(chains)
            let options = status == 75 ? ["--time-limit", "3s"] : []
            let path = try stage.write(manifest.json, to: "today.json")
            let cut = try await stage.run(["export", "--json", "--manifest", path] + options) { running in
                guard status == 143 else { return }
                try await wait("some pages") { try await stage.sandbox.kinds.runs >= 12 }
                running.send(SIGTERM)
            }
            #expect(cut.status == status, "\(cut.stderr)")
            let summary: ChainSummary = try cut.decoded()
            #expect(summary.openChains == 3)
            #expect(summary.chainsInDoubt.isEmpty)
            #expect(try await stage.database.count("runs where page_number > 0") > 0)
            let settled = try await stage.database.rows("select run_id from runs where outcome = 'success'")
            let before = try await stage.sandbox.requestsByRun
            try await stage.sandbox.change(#"{"latency": 0}"#)

            let next = try await stage.export(manifest)
            #expect(next.status == 0, "\(next.finished.stderr)")
            #expect(try next.chains.chains == ["last_page": 3])
            #expect(summary.pagesFollowed + (try next.chains.pagesFollowed) == 72)
            let after = try await stage.sandbox.requestsByRun
            for run in settled { #expect(after[run] == before[run], "\(run) was settled and asked for again") }
            for chain in chains { try await stage.expectWhole(chain) }
        }
    }

    @Test func `A POST that is on its way when the export is to end is waited for, and its run recorded`()
        async throws
    {
        try await Stage.with("--post-latency", "2500") { stage in
            let chain = Chain(number: 1, pages: 4)
            let cut = try await stage.export(Manifest.following([chain])) { running in
                try await wait("a POST") { try await stage.sandbox.kinds.runs == 1 }
                running.send(SIGTERM)
            }
            #expect(cut.status == 143, "\(cut.finished.stderr)")
            #expect(try cut.chains.chainsInDoubt.isEmpty)
            #expect(try cut.chains.openChains == 1)
            #expect(
                try await stage.database.rows("select page_number, run_id from page_intents") == ["1|\(chain.run(1))"])
            try await stage.sandbox.change(#"{"post_latency_ms": 0}"#)
            #expect(try await stage.export(Manifest.following([chain])).status == 0)
            try await stage.expectWhole(chain)
        }
    }

    // MARK: --unfinished

    @Test func `Exporting the unfinished fetches the pages that were submitted, and names the chains that need inputs`()
        async throws
    {
        try await Stage.with { stage in
            let ending = Chain(number: 1, course: .pendingPage, times: 1, place: 2)
            let further = Chain(number: 2, pages: 4, course: .pendingPage, times: 1, place: 1)
            let manifest = Manifest.following([ending, further])
            #expect(try await stage.export(manifest, "--max-wait", "0").status == 75)
            #expect(try await stage.end(of: ending) == "2|4|")

            let unfinished = try await stage.run("export", "--unfinished")
            #expect(unfinished.status == 75, "\(unfinished.stderr)")
            #expect(unfinished.stdout.contains(further.root), "\(unfinished.stdout)")
            #expect(unfinished.stdout.contains("inputs"), "\(unfinished.stdout)")
            #expect(!unfinished.stdout.contains(ending.root), "\(unfinished.stdout)")
            try await stage.expectWhole(ending)
            #expect(try await stage.end(of: further) == "2|4|")
            #expect(try await stage.sandbox.posts(of: further) == stage.oncePosted(further, [0, 1]))
            let json = try await stage.run("export", "--unfinished", "--json")
            let summary: ChainSummary = try json.decoded()
            #expect(json.status == 75)
            #expect(summary.openChains == 1)

            #expect(try await stage.export(manifest).status == 0)
            try await stage.expectWhole(further)
        }
    }

    @Test func `Exporting the unfinished follows chains whose inputs are empty to their end`() async throws {
        try await Stage.with("--run-limit", "2", "--window", "600") { stage in
            // The sandbox knows such chains by the action's id alone: V pages, H, R rows.
            let chains = [1, 2].map { number in
                Chain(
                    number: number, pages: 4, rows: 3, action: "ac000002-0004-4000-8000-\("000\(number)")00000003")
            }
            let manifest = Manifest(
                runs: [Manifest.Run(chains[0], inputs: ""), Manifest.Run(chains[1], inputs: "{}")])
            let cut = try await stage.export(manifest, "--budget-share", "1", "--time-limit", "30s")
            #expect(cut.status == 75, "\(cut.finished.stderr)")
            #expect(try await stage.sandbox.kinds.runs == 2)
            try await stage.sandbox.change(#"{"run_limit": 0}"#)
            let unfinished = try await stage.run("export", "--unfinished", "--json")
            #expect(unfinished.status == 0, "\(unfinished.stderr)")
            for chain in chains { try await stage.expectWhole(chain) }
        }
    }

    @Test func `Exporting the unfinished tells the chains in doubt`() async throws {
        try await Stage.with { stage in
            let chain = Chain(number: 1, course: .startedHTML, times: 1)
            #expect(try await stage.export(Manifest.following([chain])).status == 4)
            let unfinished = try await stage.run("export", "--unfinished", "--json")
            #expect(unfinished.status == 4)
            let summary: ChainSummary = try unfinished.decoded()
            #expect(summary.chainsInDoubt.map(\.rootRunId) == [chain.root])
            #expect(try await stage.sandbox.posts(of: chain) == stage.oncePosted(chain, [0, 1]))
        }
    }

    // MARK: A later manifest asks for more

    @Test func `A root that was fetched before anybody asked for its pages is followed without being fetched again`()
        async throws
    {
        try await Stage.with { stage in
            let chains = [Chain(number: 1, pages: 4), Chain(number: 2, cursors: .numbers), Chain(number: 3, pages: 1)]
            let first = try await stage.export(Manifest.following(chains, follow: false))
            #expect(first.status == 0)
            #expect(try await stage.sandbox.submissions.isEmpty)
            #expect(try await stage.database.count("page_chains") == 0)
            for name in ["today", "later"] {
                let next = try await stage.export(Manifest.following(chains, name: name))
                #expect(next.status == 0, "\(next.finished.stderr)")
                #expect(try next.summary.alreadySettled == 3)
                #expect(try next.chains.chains == ["last_page": 3])
            }
            let asked = try await stage.sandbox.requestsByRun
            for chain in chains {
                #expect(asked[chain.root] == 1)
                try await stage.expectWhole(chain)
            }
        }
    }

    @Test func `A chain that ended at max_pages goes on when a manifest allows more, and not before`() async throws {
        try await Stage.with { stage in
            let chain = Chain(number: 1, pages: 6)
            for (maxPages, pages) in [(2, 2), (2, 2), (1, 2), (4, 4), (3, 4)] {
                let export = try await stage.export(Manifest.following([chain], maxPages: maxPages))
                #expect(export.status == 3, "\(export.finished.stderr)")
                #expect(try await stage.end(of: chain) == "\(pages)|\(pages * 2)|max_pages")
                #expect(try await stage.sandbox.kinds.runs == pages - 1)
            }
            let last = try await stage.export(Manifest.following([chain]))
            #expect(last.status == 0, "\(last.finished.stderr)")
            #expect(try last.chains.pagesFollowed == 2)
            try await stage.expectWhole(chain)
        }
    }

    @Test func `A refused chain goes on when the manifest names the type that allows it`() async throws {
        try await Stage.with { stage in
            let chain = Chain(number: 1, action: Chain.Action.read.id(1))
            for options in [[], [], ["--retry-failed-pages"]] {
                let path = try stage.write(Manifest.following([chain]).json, to: "today.json")
                let refused = try await stage.run(["export", "--json", "--manifest", path] + options)
                #expect(refused.status == 3, "\(refused.stderr)")
                #expect(try await stage.end(of: chain) == "1|2|refused")
            }
            #expect(try await stage.sandbox.submissions.isEmpty)
            let next = try await stage.export(Manifest(runs: [Manifest.Run(chain, actionType: "read")]))
            #expect(next.status == 0, "\(next.finished.stderr)")
            try await stage.expectWhole(chain)
        }
    }

    // MARK: Inputs

    @Test func `Inputs that differ from those a chain began with are refused without a POST; their spelling is free`()
        async throws
    {
        try await Stage.with { stage in
            let chain = Chain(number: 1, pages: 4)
            let root = chain.root
            func run(_ inputs: String, _ maxPages: Int) -> Manifest {
                Manifest(runs: [Manifest.Run(chain, maxPages: maxPages, inputs: inputs)])
            }
            let first = try await stage.export(run(#"{"root": "\#(root)", "list": ["a", 1], "more": {"x": null}}"#, 2))
            #expect(first.status == 3, "\(first.finished.stderr)")
            for inputs in [
                #"{"root": "\#(root)", "list": ["a", 2], "more": {"x": null}}"#,
                #"{"root": "\#(root)", "list": [1, "a"], "more": {"x": null}}"#,
                #"{"root": "\#(root)", "list": ["a", 1], "more": {}}"#,
                #"{"root": "\#(root)", "list": ["a", 1]}"#, "{}", "",
            ] {
                let path = try stage.write(run(inputs, 10).json, to: "today.json")
                let refused = try await stage.run("export", "--manifest", path)
                #expect(refused.status == 75, "\(inputs): \(refused.stderr)")
                #expect(refused.stdout.contains("inputs") && refused.stdout.contains(root), "\(refused.stdout)")
                #expect(try await stage.end(of: chain) == "2|4|")
                #expect(try await stage.detail(of: chain)?.contains("inputs") == true)
            }
            #expect(try await stage.sandbox.posts(of: chain) == stage.oncePosted(chain, [0, 1]))
            let spelt = #"{ "more":{"x" : null},"list":[ "\u0061",1 ], "root":"\#(root)"}"#
            let next = try await stage.export(run(spelt, 10))
            #expect(next.status == 0, "\(next.finished.stderr)")
            try await stage.expectWhole(chain)
            #expect(try await stage.detail(of: chain)?.contains("inputs") != true)
        }
    }

    @Test func `Inputs are neither stored nor told`() async throws {
        try await Stage.with { stage in
            let chains = [
                Chain(number: 1), Chain(number: 2, course: .postRejected), Chain(number: 3, course: .startedLost),
                Chain(number: 4, course: .errorPage),
            ]
            let manifest = Manifest(
                runs: chains.map { Manifest.Run($0, inputs: #"{"root": "\#($0.root)", "word": "hidden-word"}"#) })
            let path = try stage.write(manifest.json, to: "today.json")
            for options in [[], ["--json"], ["--retry-failed-pages", "--log-format", "json"]] {
                let finished = try await stage.run(["export", "--manifest", path, "--log-level", "trace"] + options)
                #expect(finished.status == 4, "\(finished.stderr)")
                #expect(!(finished.stdout + finished.stderr).contains("hidden-word"))
            }
            #expect(try await stage.database.count("runs where page_number > 0") > 0)
            #expect(try await !stage.database.everything().contains("hidden-word"))
        }
    }

    // MARK: Pages that failed

    @Test func `Chains that a failed page ended go on with --retry-failed-pages alone, as a further attempt`()
        async throws
    {
        let courses: [(course: Chain.Course, runs: Int)] = [
            (.errorPage, 2), (.rejectedPage, 2), (.forbiddenPage, 2), (.postRejected, 1), (.postForbidden, 1),
            (.postNotFound, 1),
        ]
        let chains = courses.enumerated().map { Chain(number: $0 + 1, pages: 4, course: $1.course, times: 1) }
        try await Stage.with { stage in
            let manifest = Manifest.following(chains)
            for _ in 1...2 {
                let export = try await stage.export(manifest)
                #expect(export.status == 3, "\(export.finished.stderr)")
                #expect(try export.chains.chains == ["page_error": chains.count])
                #expect(try await stage.sandbox.kinds.runs == 2 * chains.count)
            }
            let retried = try await stage.export(manifest, "--retry-failed-pages")
            #expect(retried.status == 0, "\(retried.finished.stderr)")
            #expect(try retried.chains.chains == ["last_page": chains.count])
            for (chain, course) in zip(chains, courses) {
                var posts = stage.oncePosted(chain, [0, 1, 2, 3])
                posts["2"] = Sandbox.told(posts: 2, runs: course.runs)
                let told = try await stage.sandbox.posts(of: chain)
                #expect(told == posts, "\(course.course)")
                let end = try await stage.end(of: chain)
                #expect(end == "4|8|last_page", "\(course.course)")
                let differences = try await stage.differences(chain, pages: [0, 1, 2, 3])
                #expect(differences == [], "\(course.course)")
            }
        }
    }

    // MARK: Refetching

    @Test func `Refetching asks for roots and pages by GET alone, and puts the new rows in the old ones' place`()
        async throws
    {
        try await Stage.with { stage in
            let chains = [Chain(number: 1, pages: 4), Chain(number: 2, course: .emptyPage, cursors: .urls)]
            let ends = ["4|8|last_page", "3|4|last_page"]
            let manifest = Manifest.following(chains)
            let first = try await stage.export(manifest)
            #expect(first.status == 0)
            let (posts, lookups) = (try await stage.sandbox.kinds.runs, try await stage.sandbox.kinds.lookups)
            // As if the API had said something else the first time.
            try await stage.database.execute(#"update stored_actions.results set payload = '"old"'"#)
            let second = try await stage.export(manifest, "--refetch")
            #expect(second.status == 0, "\(second.finished.stderr)")
            #expect(try second.chains.results == first.chains.results)
            #expect(try second.chains.pagesFollowed == 0)
            #expect(try await stage.sandbox.kinds.runs == posts)
            #expect(try await stage.sandbox.kinds.lookups == lookups)
            let asked = try await stage.sandbox.requestsByRun
            #expect(asked.count == 7)
            #expect(asked.values.allSatisfy { $0 == 2 }, "\(asked)")
            #expect(try await stage.database.count(#"results where payload = '"old"'"#) == 0)
            for (chain, end) in zip(chains, ends) {
                #expect(try await stage.end(of: chain) == end)
                #expect(try await stage.differences(chain, pages: Array(0..<chain.pages)) == [])
                #expect(try await stage.runs(of: chain) == stage.successes(chain, Array(0..<chain.pages)))
            }
        }
    }

    @Test func `Refetching loses no page to an API that has forgotten it`() async throws {
        try await Stage.with { stage in
            let chain = Chain(number: 1, pages: 4)
            #expect(try await stage.export(Manifest.following([chain])).status == 0)
            try await stage.sandbox.change(#"{"lose_everything": true}"#)
            _ = try await stage.export(Manifest.following([chain]), "--refetch")
            try await stage.sandbox.change(#"{"lose_everything": false}"#)
            try await stage.expectWhole(chain)
        }
    }
}
