import Foundation
import Postgres
import Testing

/// Connections that break at a step of a page while the program lives.
@Suite("Lost answers")
struct LostAnswerTests {
    private static let databaseFaults: [(what: String, triggers: [Proxy.Trigger])] = [
        ("the intent's statement", [.held(at: .intent, then: .cut)]),
        ("the answer to the intent's statement", [.answered(at: .intent, then: .cut)]),
        ("the intent's commit", [.held(at: .intent, .commit, then: .cut)]),
        ("the answer to the intent's commit", [.answered(at: .intent, .commit, then: .cut)]),
        ("the intent's connection while it is committed", [.sent(at: .intent, .commit, then: .cut)]),
        ("the recording", [.held(at: .recording, then: .cut)]),
        ("the answer to the recording", [.answered(at: .recording, then: .cut)]),
        ("the connection while it records", [.sent(at: .recording, then: .cut)]),
        ("the recording's commit", [.held(at: .recording, .commit, then: .cut)]),
        ("the answer to the recording's commit", [.answered(at: .recording, .commit, then: .cut)]),
        ("the connection while the recording is committed", [.sent(at: .recording, .commit, then: .cut)]),
        (
            "the recording twice, and its answer",
            [
                .held(at: .recording, then: .cut), .held(at: .recording, occurrence: 2, then: .cut),
                .answered(at: .recording, .commit, then: .cut),
            ]
        ),
        ("the page's COPY", [.held(at: .copy, occurrence: 2, then: .cut)]),
        ("the page's commit", [.held(at: .copy, .commit, occurrence: 2, then: .cut)]),
        ("the answer to the page's commit", [.answered(at: .copy, .commit, occurrence: 2, then: .cut)]),
        ("the connection while the page is committed", [.sent(at: .copy, .commit, occurrence: 2, then: .cut)]),
    ]

    @Test(arguments: databaseFaults.indices)
    func `An export that loses its database at a step of a page mends it, and doubles nothing`(
        _ index: Int
    ) async throws {
        let (what, triggers) = Self.databaseFaults[index]
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            let chain = Chain(number: 1, pages: 4)
            let export = try await stage.withProxies(database: triggers) { proxies in
                let export = try await stage.export(Manifest.following([chain]), changes: proxies.changes)
                #expect(proxies.fired == triggers.count, "lost: \(what)")
                return export
            }
            #expect(export.status == 0, "lost: \(what): \(export.finished.stderr)")
            #expect(try export.chains.chains == ["last_page": 1], "lost: \(what)")
            #expect(try export.chains.pagesFollowed == 3, "lost: \(what)")
            #expect(try export.chains.results == 8, "lost: \(what)")
            try await stage.expectWhole(chain, "lost: \(what)")
            #expect(
                try await stage.database.rows("select page_number, attempt, run_id from page_intents order by 1")
                    == (1...3).map { "\($0)|1|\(chain.run($0))" }, "lost: \(what)")
        }
    }

    private static let reads: [(what: String, trigger: Proxy.Trigger)] = [
        ("the look-up", .held(at: .lookup, then: .cut)), ("the look-up's answer", .answered(at: .lookup, then: .cut)),
        ("the read of a page", .held(at: .read, occurrence: 2, then: .cut)),
        ("the answer to the read of a page", .answered(at: .read, occurrence: 2, then: .cut)),
    ]

    @Test(arguments: reads.indices)
    func `A read that is lost is repeated`(_ index: Int) async throws {
        let (what, trigger) = Self.reads[index]
        try await Stage.with { stage in
            let chain = Chain(number: 1, pages: 4)
            let export = try await stage.withProxies(api: [trigger]) { proxies in
                let export = try await stage.export(Manifest.following([chain]), changes: proxies.changes)
                #expect(proxies.fired == 1, "lost: \(what)")
                return export
            }
            #expect(export.status == 0, "lost: \(what): \(export.finished.stderr)")
            try await stage.expectWhole(chain, "lost: \(what)")
        }
    }

    @Test(arguments: [Proxy.Trigger.Moment.held, .sent, .answered])
    func `A POST whose connection is cut is in doubt, whether it arrived or not; the truth completes the chain`(
        _ moment: Proxy.Trigger.Moment
    ) async throws {
        try await Stage.with { stage in
            let chain = Chain(number: 1, pages: 4)
            let manifest = Manifest.following([chain])
            let trigger = Proxy.Trigger(
                steps: [Proxy.Trigger.Step.post.isMet], occurrence: 2, moment: moment, harm: .cut)
            let export = try await stage.withProxies(api: [trigger]) { proxies in
                try await stage.export(manifest, changes: proxies.changes)
            }
            #expect(export.status == 4, "\(export.finished.stderr)")
            #expect(try export.chains.chains == ["submit_unknown": 1])
            #expect(try await stage.end(of: chain) == "2|4|submit_unknown")
            #expect(try export.summary.requests.byStatus["none"] == 1)
            let started = try await stage.sandbox.posts(of: chain)["2"]
            #expect(started == (moment == .held ? nil : Sandbox.told(posts: 1, runs: 1)))
            let last = try await stage.continueTruthfully(manifest, chain)
            #expect(last.status == 0, "\(last.finished.stderr)")
            try await stage.expectWhole(chain)
        }
    }

    @Test func `A POST that finds no connection takes its intent back, and is made once there is one`() async throws {
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            try await stage.database.execute(
                """
                create table taken_back (intent jsonb);
                create function remember() returns trigger language plpgsql as $$
                begin
                  insert into stored_actions.taken_back values (to_jsonb(old));
                  return null;
                end $$;
                create trigger intents_taken_back after delete on page_intents for each row execute function remember();
                """)
            let chain = Chain(number: 1, pages: 4)
            // Held up after the look-up, so that the next thing is the first POST, on a connection of its own.
            let export = try await stage.withProxies(database: [.answered(at: .intent)]) { proxies in
                try await stage.export(Manifest.following([chain]), changes: proxies.changes) { _ in
                    try await wait("the first intent") { proxies.fired == 1 }
                    proxies.api.refuseConnections()
                    proxies.database.letGo()
                    try await wait("the intent is taken back") {
                        try await stage.database.count("taken_back") > 0
                    }
                    #expect(try await stage.sandbox.submissions.isEmpty)
                    try proxies.api.acceptConnections()
                }
            }
            #expect(export.status == 0, "\(export.finished.stderr)")
            try await stage.expectWhole(chain)
        }
    }
}
