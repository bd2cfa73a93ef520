import Foundation
import Postgres
import Testing

import Glibc

/// Exports at the same time that share chains.
@Suite("Chains of two exports")
struct SharedChainTests {
    @Test func `Two exports of different manifests that share roots post each cursor once, and both are complete`()
        async throws
    {
        try await Stage.with("--latency", "20", "--latency-jitter", "30") { stage in
            #expect(try await stage.run("migrate").status == 0)
            let shared = (1...8).map { Chain(number: $0, pages: 5) }
            let own = [Chain(number: 50, pages: 5), Chain(number: 60, pages: 5)]
            async let one = stage.export(Manifest.following(shared + [own[0]], name: "left"))
            async let two = stage.export(Manifest.following([own[1]] + shared.reversed(), name: "right"))
            let exports = try await [one, two]
            for export in exports {
                #expect(export.status == 0, "\(export.finished.stderr)")
                #expect(try export.chains.chains == ["last_page": 9])
                #expect(try export.chains.openChains == 0)
            }
            #expect(try exports.map { try $0.chains.pagesFollowed }.reduce(0, +) == 40)
            for chain in shared + own { try await stage.expectWhole(chain) }
        }
    }

    @Test func `An export that comes to a page just as another one commits its intent leaves the page to it`()
        async throws
    {
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            let chain = Chain(number: 1, pages: 4)
            let right = Manifest.following([chain], name: "right")
            let left = Manifest.following([chain], name: "left")
            try await stage.withProxies(database: [.held(at: .durable, .chainLock)]) { atLock in
                try await stage.withProxies(database: [.held(at: .intent, .commit)]) { atCommit in
                    let second = try await stage.export(right, changes: atLock.changes) { _ in
                        try await wait("the right one is about to lock the chain") { atLock.fired == 1 }
                        let first = try await stage.export(left, changes: atCommit.changes) { _ in
                            try await wait("the left one is about to commit its intent") { atCommit.fired == 1 }
                            atLock.database.letGo()
                            try await wait("the right one waits for the chain") {
                                try await stage.database.count(
                                    """
                                    pg_catalog.pg_stat_activity where datname = current_database()
                                       and application_name = 'stored-actions' and wait_event_type = 'Lock'
                                    """) > 0
                            }
                            atCommit.database.letGo()
                        }
                        #expect(first.status == 0, "\(first.finished.stderr)")
                    }
                    #expect(second.status == 0, "\(second.finished.stderr)")
                }
            }
            try await stage.expectWhole(chain)
        }
    }

    @Test func `An export that waits for a page of another one, which is killed, tells the chain in doubt`()
        async throws
    {
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            let chain = Chain(number: 1, pages: 4)
            let right = Manifest.following([chain], name: "right")
            try await stage.withProxies(api: [.answered(at: .post)]) { proxies in
                let left = Manifest.following([chain], name: "left")
                let killed = try await stage.export(left, changes: proxies.changes) { running in
                    try await wait("the POST is answered") { proxies.fired == 1 }
                    let waiting = try await stage.export(right) { _ in
                        try await wait("the right one has begun") {
                            try await stage.database.count(
                                "exports e join export_manifests m using (export_id) where m.name = 'right' and e.already_settled = 1"
                            ) == 1
                        }
                        running.send(SIGKILL)
                    }
                    #expect(waiting.status == 4, "\(waiting.finished.stderr)")
                    #expect(try waiting.chains.chainsInDoubt.map(\.rootRunId) == [chain.root])
                }
                #expect(killed.status == -SIGKILL)
            }
            #expect(try await stage.sandbox.posts(of: chain) == stage.oncePosted(chain, [0, 1]))
            let last = try await stage.continueTruthfully(right, chain)
            #expect(last.status == 0, "\(last.finished.stderr)")
            try await stage.expectWhole(chain)
        }
    }
}
