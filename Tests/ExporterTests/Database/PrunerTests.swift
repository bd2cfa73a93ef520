import Foundation
import Postgres
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Pruning")
struct PrunerTests {
    private static let days = Duration.seconds(86_400)
    private static let tables = ["results", "errors", "api_errors", "rejects", "run_bodies"]

    private static func scope(_ days: Int = 90, action: UUID? = nil) -> PruneScope {
        PruneScope(olderThan: Self.days * days, storedActionID: action, at: Date())
    }

    /// An export of runs 1 to 4: three objects, a partner's error, no result any more, not finished; with what a run
    /// may have besides. All answered 100 days ago.
    private static func old(_ fixture: LedgerFixture) async throws {
        let ledger = try await fixture.open([(1, nil), (2, nil), (3, nil), (4, nil)])
        try await fixture.commit(
            [
                LedgerFixture.loaded(1, status: 200, body: LoaderTests.three),
                LedgerFixture.loaded(2, status: 200, body: LoaderTests.partnerError),
                LedgerFixture.loaded(3, status: 404, body: LoaderTests.gone),
                LedgerFixture.loaded(4, status: 202, body: ""),
            ], to: ledger)
        let key = LedgerFixture.key(1)
        _ = try await fixture.session.query(
            """
            insert into stored_actions.run_bodies (stored_action_id, run_id, body, export_id)
            values ($1, $2, convert_to(repeat('x', 100000), 'UTF8'), 1)
            """, key.parameters)
        for what in ["result", "extra"] {
            _ = try await fixture.session.query(
                """
                insert into stored_actions.rejects (stored_action_id, run_id, what, reason, export_id)
                values ($1, $2, $3, 'too odd', 1)
                """, key.parameters + [.text(what)])
        }
        _ = try await fixture.session.query(
            "update stored_actions.runs set extra = '{}', extra_raw = 'x' where run_id = $1", [.uuid(key.runID)])
        try await age(fixture)
    }

    private static func age(_ fixture: LedgerFixture, where condition: String = "true") async throws {
        _ = try await fixture.session.query(
            """
            update stored_actions.runs
               set fetched_at = fetched_at - interval '100 days', checked_at = checked_at - interval '100 days',
                   first_seen_at = first_seen_at - interval '100 days', expires_at = expires_at - interval '100 days'
             where \(condition)
            """)
    }

    private static func counts(_ fixture: LedgerFixture) async throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for table in tables {
            let told = try await fixture.texts("select count(*) from stored_actions.\(table)")
            counts[table] = told.first.flatMap { Int($0) }
        }
        return counts
    }

    private static func runs(_ fixture: LedgerFixture) async throws -> [String] {
        try await fixture.texts(
            """
            select concat_ws(' ', right(run_id::text, 1), outcome, result_count, error_count, pruned_at is not null,
                             num_nonnulls(extra, extra_raw))
              from stored_actions.runs order by run_id
            """)
    }

    @discardableResult
    private static func prune(
        _ fixture: LedgerFixture, _ scope: PruneScope, dryRun: Bool = false, batch: PruneBatch = PruneBatch()
    ) async throws -> PruneCounts {
        var all = PruneCounts()
        let isWhole = try await Pruner(session: fixture.session, batch: batch).prune(
            scope, dryRun: dryRun, onBatch: { all = $0 })
        #expect(isWhole)
        return all
    }

    @Test("What old answers brought goes; their runs stay, with outcome and counts, and what is unsettled stays whole")
    func forgetting() async throws {
        try await LedgerFixture.with { fixture in
            try await Self.old(fixture)
            let before = try await Self.counts(fixture)
            #expect(before == ["results": 3, "errors": 1, "api_errors": 1, "rejects": 2, "run_bodies": 1])
            let counts = try await Self.prune(fixture, Self.scope())
            #expect(counts.runs == 3)
            #expect(counts.rows == before)
            #expect(counts.bytes > 1000)
            let left = try await Self.counts(fixture)
            #expect(left.values.allSatisfy { $0 == 0 }, "\(left)")
            #expect(
                try await Self.runs(fixture)
                    == ["1 success 3 0 t 0", "2 error 0 1 t 0", "3 not_found 0 0 t 0", "4 pending 0 0 f 0"])
            let again = try await Self.prune(fixture, Self.scope())
            #expect(again == PruneCounts())
        }
    }

    @Test("A dry run tells the same counts and changes nothing")
    func dryRun() async throws {
        try await LedgerFixture.with { fixture in
            try await Self.old(fixture)
            let (counts, runs) = (try await Self.counts(fixture), try await Self.runs(fixture))
            let told = try await Self.prune(fixture, Self.scope(), dryRun: true, batch: PruneBatch(runs: 1))
            #expect(try await Self.counts(fixture) == counts)
            #expect(try await Self.runs(fixture) == runs)
            let pruned = try await Self.prune(fixture, Self.scope())
            #expect(told == pruned)
        }
    }

    @Test("Younger answers and those of other stored actions stay")
    func scopes() async throws {
        try await LedgerFixture.with { fixture in
            try await Self.old(fixture)
            for scope in [Self.scope(101), Self.scope(action: UUID()), Self.scope(9_999_999)] {
                let counts = try await Self.prune(fixture, scope)
                #expect(counts == PruneCounts())
            }
            let counts = try await Self.prune(fixture, Self.scope(99, action: LedgerFixture.storedActionID))
            #expect(counts.runs == 3)
            let pruner = Pruner(session: fixture.session)
            #expect(try await pruner.contains(storedAction: LedgerFixture.storedActionID))
            #expect(try await pruner.contains(storedAction: UUID()) == false)
        }
    }

    @Test("A run that may still be fetched keeps what it has, and is reported")
    func unsettled() async throws {
        try await LedgerFixture.with { fixture in
            try await Self.old(fixture)
            // As if its manifest had said since that it is younger.
            _ = try await fixture.session.query(
                "update stored_actions.runs set expires_at = now() + interval '1 hour' where outcome = 'not_found'")
            let kept = try await Pruner(session: fixture.session).kept(Self.scope())
            #expect(kept == PruneKept(unsettled: 1, ofOpenChains: 0))
            let counts = try await Self.prune(fixture, Self.scope())
            #expect(counts.runs == 2)
            #expect(try await Self.counts(fixture)["api_errors"] == 1)
        }
    }

    @Test("Pages of a chain stay until it has an end that is not in doubt", arguments: [nil, "submit_unknown"])
    func openChains(_ reason: String?) async throws {
        try await LedgerFixture.with { fixture in
            _ = try await fixture.openChain()
            try await Self.age(fixture)
            _ = try await fixture.session.query(
                "update stored_actions.page_chains set end_reason = $1", [.text(reason)])
            #expect(try await Self.prune(fixture, Self.scope()) == PruneCounts())
            let pruner = Pruner(session: fixture.session)
            #expect(try await pruner.kept(Self.scope()) == PruneKept(unsettled: 0, ofOpenChains: 1))
            _ = try await fixture.session.query("update stored_actions.page_chains set end_reason = 'max_pages'")
            let counts = try await Self.prune(fixture, Self.scope())
            #expect(counts.rows["results"] == 2)
            #expect(try await pruner.kept(Self.scope()) == PruneKept())
        }
    }

    /// Cursors by table: of runs, of their chain, and in its intents.
    private static func cursors(_ fixture: LedgerFixture) async throws -> [String] {
        try await fixture.texts(
            """
            select concat_ws(' ', right(run_id::text, 1), '[' || page || ']', '[' || next_page || ']')
              from stored_actions.runs order by run_id
            """)
            + fixture.texts("select concat('[', next_page, '] [', first_page, ']') from stored_actions.page_chains")
            + fixture.texts("select page from stored_actions.page_intents")
    }

    /// A chain whose page 1 has been asked for, and has come with a cursor of its own.
    private static func chain(_ fixture: LedgerFixture) async throws {
        let ledger = try await fixture.openChain()
        let root = LedgerFixture.key(1)
        _ = try await fixture.session.query(
            """
            insert into stored_actions.page_intents
                   (stored_action_id, root_run_id, cursor_hash, attempt, intent_id, page_number, page, export_id, run_id)
            values ($1, $2, sha256(convert_to('1', 'UTF8')), 1, gen_random_uuid(), 1, '1', $3, $4)
            """, root.parameters + [.int(ledger.exportID), .uuid(LedgerFixture.key(2).runID)])
        _ = try await fixture.session.query(
            """
            insert into stored_actions.runs
                   (stored_action_id, run_id, root_run_id, page, page_number, expires_at, first_seen_at, export_id)
            values ($1, $3, $2, '1', 1, now(), now(), 1)
            """, root.parameters + [.uuid(LedgerFixture.key(2).runID)])
        var page = LedgerFixture.loaded(
            2, status: 200, body: #"{"status": "success", "results": [3], "errors": [], "next_page": "2"}"#)
        page.item.page = PageOfChain(root: root, submittedAt: Date())
        try await fixture.commit([page], to: ledger)
        try await age(fixture)
    }

    @Test("Cursors are forgotten once their chain has ended and all of its pages are", arguments: EndReason.allCases)
    func cursors(_ reason: EndReason) async throws {
        try await LedgerFixture.with { fixture in
            try await Self.chain(fixture)
            let all = ["1 [1]", "2 [1] [2]", "[2] [0]", "1"]
            #expect(try await Self.cursors(fixture) == all)
            try await Self.prune(fixture, Self.scope())
            #expect(try await Self.cursors(fixture) == all)
            _ = try await fixture.session.query(
                "update stored_actions.page_chains set end_reason = $1", [.text(reason.rawValue)])
            // Page 1 is younger: the chain's own cursors are still of use.
            try await Self.age(fixture, where: "page_number = 0")
            try await Self.prune(fixture, Self.scope(150))
            #expect(
                try await Self.cursors(fixture)
                    == (reason == .submitUnknown ? all : ["1 []", "2 [1] [2]", "[2] [0]", "1"]))
            try await Self.prune(fixture, Self.scope())
            let left =
                switch reason {
                case .submitUnknown: all
                case .lastPage, .emptyPages, .repeatedCursor: ["1 []", "2 [] []", "[] []"]
                // A later manifest may let it go on.
                case .maxPages, .pageError, .pageExpired, .refused: ["1 []", "2 [] []", "[2] [0]", "1"]
                }
            #expect(try await Self.cursors(fixture) == left)
            #expect(try await Self.prune(fixture, Self.scope()) == PruneCounts())
        }
    }

    @Test("Pages that an earlier version pruned lose their cursors; a root whose pages nobody asked for keeps its own")
    func olderPrune() async throws {
        try await LedgerFixture.with { fixture in
            try await Self.chain(fixture)
            let ledger = try await fixture.open([(3, nil)], name: "other")
            let bulk = #"{"status": "success", "results": [1], "errors": [], "next_page": "7"}"#
            try await fixture.commit([LedgerFixture.loaded(3, status: 200, body: bulk)], to: ledger)
            try await Self.age(fixture)
            _ = try await fixture.session.query("update stored_actions.page_chains set end_reason = 'last_page'")
            _ = try await fixture.session.query("update stored_actions.runs set pruned_at = now()")
            let counts = try await Self.prune(fixture, Self.scope())
            #expect(counts.runs == 2)
            #expect(try await Self.cursors(fixture) == ["1 []", "2 [] []", "3 [7]", "[] []"])
            #expect(try await Self.prune(fixture, Self.scope()) == PruneCounts())
        }
    }

    @Test("It goes batch by batch, ends between two of them, and goes on where it ended")
    func batches() async throws {
        try await LedgerFixture.with { fixture in
            let ledger = try await fixture.open((1...7).map { ($0, nil) })
            try await fixture.commit(
                (1...7).map { LedgerFixture.loaded($0, status: 200, body: LoaderTests.three) }, to: ledger)
            try await Self.age(fixture)
            let pruner = Pruner(session: fixture.session, batch: PruneBatch(runs: 2))
            var told: [Int] = []
            let isWhole = try await pruner.prune(Self.scope(), dryRun: false) {
                told.count == 2
            } onBatch: {
                told.append($0.runs)
            }
            #expect(!isWhole)
            #expect(told == [2, 4])
            #expect(try await Self.counts(fixture)["results"] == 9)
            let rest = try await Self.prune(fixture, Self.scope(), batch: PruneBatch(rows: 3))
            #expect(rest.runs == 3)
            #expect(try await Self.counts(fixture)["results"] == 0)
        }
    }

    @Test("A batch holds so many runs, rows and bytes, and one run in any case")
    func cutting() {
        func cut(_ rows: [Int], _ bytes: [Int]? = nil) -> Int {
            let candidates = rows.enumerated().map { index, rows in
                PruneBatch.Candidate(key: LedgerFixture.key(index), rows: rows, bytes: bytes?[index] ?? 0)
            }
            return PruneBatch(runs: 3, rows: 10, bytes: 100).cut(candidates).count
        }
        #expect(cut([]) == 0)
        #expect(cut([1, 1, 1, 1]) == 3)
        #expect(cut([5, 5, 1]) == 2)
        #expect(cut([11, 1]) == 1)
        #expect(cut([1, 1], [100, 1]) == 1)
        #expect(cut([0, 0], [1000, 0]) == 1)
    }

    @Test("An answer that is stored while a prune waits for its run stays")
    func refetchMeanwhile() async throws {
        try await LedgerFixture.with { fixture in
            try await Self.old(fixture)
            let key = LedgerFixture.key(1)
            let (locked, hasLocked) = AsyncStream<Void>.makeStream()
            try await PostgresSession.withSession(fixture.database) { other in
                async let refetched: Void = other.transaction { transaction in
                    _ = try transaction.query(
                        """
                        update stored_actions.runs set fetched_at = now() where stored_action_id = $1 and run_id = $2
                        """, key.parameters)
                    hasLocked.yield()
                    try transaction.waitUntilSomebodyWaits()
                } wasCommitted: { _ in
                    true
                }
                for await _ in locked { break }
                let counts = try await Self.prune(fixture, Self.scope())
                try await refetched
                #expect(counts.runs == 2)
                #expect(try await Self.counts(fixture)["results"] == 3)
                #expect(try await Self.runs(fixture).first == "1 success 3 0 f 2")
            }
        }
    }

    @Test("Two prunes at once delete each row once between them")
    func twoAtOnce() async throws {
        try await LedgerFixture.with { fixture in
            let ledger = try await fixture.open((1...200).map { ($0, nil) })
            try await fixture.commit(
                (1...200).map { LedgerFixture.loaded($0, status: 200, body: LoaderTests.three) }, to: ledger)
            try await Self.age(fixture)
            let counts = try await withThrowingTaskGroup(of: PruneCounts.self) { group in
                for _ in 1...2 {
                    group.addTask {
                        try await PostgresSession.withSession(fixture.database) { session in
                            var all = PruneCounts()
                            _ = try await Pruner(session: session, batch: PruneBatch(runs: 7))
                                .prune(Self.scope(), dryRun: false, onBatch: { all = $0 })
                            return all
                        }
                    }
                }
                return try await group.reduce(into: PruneCounts()) { $0 += $1 }
            }
            #expect(counts.runs == 200)
            #expect(counts.rows["results"] == 600)
            #expect(try await Self.counts(fixture)["results"] == 0)
        }
    }
}
