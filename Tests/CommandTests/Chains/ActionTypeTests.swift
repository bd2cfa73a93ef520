import Foundation
import Postgres
import Testing

/// Only what is known to be a bulk read is ever paged.
@Suite("Types of stored actions")
struct ActionTypeTests {
    private struct Case: Sendable {
        let kind: Chain.Action
        /// What the manifest says.
        let told: String?
        let isFollowed: Bool
    }

    private static let cases: [Case] =
        [
            (Chain.Action.readBulk, nil, true), (.readBulk, "read_bulk", true), (.readBulk, "search", true),
            (.read, nil, false), (.read, "read", true), (.read, "read_bulk", false), (.read, "search", false),
            (.search, nil, false), (.search, "search", true), (.search, "read", false),
            (.search, "read_bulk", false),
            (.unheardOf, "transmogrify", false), (.untold, nil, false), (.untold, "read_bulk", false),
            (.forbiddenLookup, nil, false), (.forbiddenLookup, "read_bulk", true), (.forbiddenLookup, "read", true),
            (.forbiddenLookup, "search", true), (.forbiddenLookup, "write", false),
            (.missingLookup, nil, false), (.missingLookup, "read_bulk", true), (.missingLookup, "read", true),
            (.missingLookup, "search", true), (.missingLookup, "search_or_write", false),
        ].map { Case(kind: $0.0, told: $0.1, isFollowed: $0.2) }
        + [
            (Chain.Action.write, "write"), (.run, "run"), (.searchOrWrite, "search_or_write"),
            (.searchAndWrite, "search_and_write"), (.filter, "filter"), (.tool, "tool"), (.unheardOf, nil),
        ].flatMap { kind, own in
            [nil, own, "read_bulk", "read"].map { Case(kind: kind, told: $0, isFollowed: false) }
        }

    @Test func `The look-up and the manifest together decide what is followed, and what is refused gets no POST`()
        async throws
    {
        // Odd actions answer their look-up under `data`, even ones flat.
        let chains = Self.cases.enumerated().map { index, entry in
            Chain(number: index + 1, action: entry.kind.id(index + 1))
        }
        try await Stage.with { stage in
            let manifest = Manifest(
                runs: zip(chains, Self.cases).map { Manifest.Run($0, actionType: $1.told) })
            let export = try await stage.export(manifest)
            #expect(export.status == 3, "\(export.finished.stderr)")
            let followed = Self.cases.filter(\.isFollowed).count
            #expect(try export.chains.chains == ["last_page": followed, "refused": chains.count - followed])
            for (chain, entry) in zip(chains, Self.cases) {
                let what = "\(entry.kind), in the manifest \(entry.told ?? "untold")"
                if entry.isFollowed {
                    try await stage.expectWhole(chain, what)
                } else {
                    let end = try await stage.end(of: chain)
                    #expect(end == "1|2|refused", "\(what)")
                    #expect(try await stage.detail(of: chain)?.isEmpty == false, "\(what)")
                    let posts = try await stage.sandbox.posts(of: chain)
                    #expect(posts == [:], "\(what)")
                    let differences = try await stage.differences(chain, pages: [0])
                    #expect(differences == [], "\(what)")
                }
            }
            let posted = try await stage.sandbox.submissions.map(\.storedActionId)
            let allowed = zip(chains, Self.cases).filter { $1.isFollowed }.map(\.0.action)
            #expect(Set(posted) == Set(allowed))
        }
    }

    @Test func `An action is looked up once, and what was learned serves later exports`() async throws {
        try await Stage.with { stage in
            let actions = [Chain.Action.readBulk.id(1), Chain.Action.readBulk.id(2), Chain.Action.read.id(1)]
            let first = actions.flatMap { action in (1...4).map { Chain(number: $0, action: action) } }
            let later = actions.map { Chain(number: 9, action: $0) }
            let export = try await stage.export(
                Manifest(runs: first.map { Manifest.Run($0, actionType: "read") }))
            #expect(export.status == 0, "\(export.finished.stderr)")
            for action in actions { #expect(try await stage.sandbox.lookups(of: action) == 1) }
            let next = try await stage.export(
                Manifest(name: "later", runs: later.map { Manifest.Run($0, actionType: "read") }))
            #expect(next.status == 0, "\(next.finished.stderr)")
            for action in actions { #expect(try await stage.sandbox.lookups(of: action) == 1) }
            for chain in first + later { try await stage.expectWhole(chain, chain.action) }
            #expect(
                try await stage.database.rows(
                    "select stored_action_id, action_type, action_key, selected_api from actions order by 1")
                    == [
                        "\(actions[2])|read|read_sandbox|SandboxCLIAPI@1.0.0",
                        "\(actions[0])|read_bulk|read_bulk_sandbox|SandboxCLIAPI@1.0.0",
                        "\(actions[1])|read_bulk|read_bulk_sandbox|SandboxCLIAPI@1.0.0",
                    ])
        }
    }

    @Test func `An action whose pages nobody asks for, or that has none, is not looked up`() async throws {
        try await Stage.with { stage in
            let chains = [Chain(number: 1), Chain(number: 2, pages: 1), Chain(number: 3, course: .zeroCursor)]
            let manifest = Manifest(
                runs: [Manifest.Run(chains[0], follow: false), Manifest.Run(chains[1]), Manifest.Run(chains[2])])
            let export = try await stage.export(manifest)
            #expect(export.status == 3)
            #expect(try await stage.sandbox.kinds.lookups == 0)
            #expect(try await stage.database.count("page_chains") == 2)
        }
    }

    @Test(arguments: [Chain.Action.forbidden, .missing])
    func `A POST that the API refuses ends the chain, whatever the manifest says of the action`(
        _ kind: Chain.Action
    ) async throws {
        try await Stage.with { stage in
            let chain = Chain(number: 1, action: kind.id(1))
            let plain = Chain(number: 2, action: kind.id(2))
            let manifest = Manifest(
                runs: [Manifest.Run(chain, actionType: "read_bulk"), Manifest.Run(plain)])
            let export = try await stage.export(manifest)
            #expect(export.status == 3, "\(export.finished.stderr)")
            #expect(try await stage.end(of: chain) == "1|2|page_error")
            #expect(try await stage.end(of: plain) == "1|2|refused")
            // The sandbox counts refused POSTs, too.
            #expect(try await stage.sandbox.submissions.map { [$0.posts, $0.runsStarted] } == [[1, 0]])
        }
    }

    @Test func `A look-up that fails for a while is made again, and the chain followed`() async throws {
        try await Stage.with { stage in
            let chain = Chain(number: 1, action: Chain.Action.failingLookup.id(1, parameter: 2))
            let export = try await stage.export(Manifest.following([chain]))
            #expect(export.status == 0, "\(export.finished.stderr)")
            #expect(try await stage.sandbox.lookups(of: chain.action) == 3)
            try await stage.expectWhole(chain)
        }
    }

    @Test func `A look-up that never answers leaves its chains open, whatever the manifest says, and others go on`()
        async throws
    {
        try await Stage.with { stage in
            let action = Chain.Action.failingLookup.id(1)
            let chains = (1...3).map { Chain(number: $0, action: action) }
            let other = Chain(number: 4)
            let manifest = Manifest(
                runs: chains.map { Manifest.Run($0, actionType: "read_bulk") } + [Manifest.Run(other)])
            let export = try await stage.export(manifest)
            #expect(export.status == 75, "\(export.finished.stderr)")
            #expect(try export.chains.chains == ["last_page": 1])
            #expect(try export.chains.openChains == 3)
            #expect(try await stage.sandbox.lookups(of: action) == 5)
            for chain in chains {
                #expect(try await stage.end(of: chain) == "1|2|")
                #expect(try await stage.sandbox.posts(of: chain) == [:])
            }
            try await stage.expectWhole(other)
        }
    }
}
