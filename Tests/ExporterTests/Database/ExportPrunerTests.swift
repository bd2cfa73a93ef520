import Foundation
import Postgres
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Pruning of exports")
struct ExportPrunerTests {
    /// Exports with one run each, the first with three; each ended so many days ago, or runs if that is nil.
    private static func exports(
        _ fixture: LedgerFixture, _ ended: [(name: String, daysAgo: Int?)]
    ) async throws -> [Int] {
        var ids: [Int] = []
        for (index, export) in ended.enumerated() {
            let numbers = index == 0 ? [1, 2, 3] : [1]
            let opened = try await fixture.open(numbers.map { ($0, nil) }, name: export.name)
            try await fixture.commit(numbers.map { LedgerFixture.loaded($0, status: 202, body: "") }, to: opened)
            ids.append(opened.exportID)
        }
        for (id, export) in zip(ids, ended) {
            _ = try await fixture.session.query(
                """
                update stored_actions.exports
                   set outcome = case when $2::bigint is null then 'running' else 'incomplete' end,
                       finished_at = now() - $2 * interval '1 day'
                 where export_id = $1
                """, [.int(id), .int(export.daysAgo)])
        }
        return ids
    }

    private static func left(_ fixture: LedgerFixture, in table: String) async throws -> [String] {
        try await fixture.texts("select distinct export_id from stored_actions.\(table) order by 1")
    }

    private static func prune(
        _ fixture: LedgerFixture, dryRun: Bool = false, account: ZapierAccount = .standard
    ) async throws -> PruneCounts {
        var counts = PruneCounts()
        let isWhole = try await ExportPruner(session: fixture.session, batchSize: 2).prune(
            ExportPruneScope(olderThan: .seconds(90 * 86_400), account: account, at: Date()), dryRun: dryRun,
            onBatch: { counts += $0 })
        #expect(isWhole)
        return counts
    }

    @Test("Old exports go with their rows, in batches; the newest of a manifest, young and running ones stay")
    func old() async throws {
        try await LedgerFixture.with { fixture in
            let ids = try await Self.exports(
                fixture, [("a", 200), ("a", 100), ("a", 95), ("b", 300), ("c", nil), ("c", 80)])
            for dryRun in [true, false] {
                let counts = try await Self.prune(fixture, dryRun: dryRun)
                #expect(counts.exports == 2)
                #expect(counts.exportItems == 4)
            }
            let kept = ids[2...].map(String.init)
            for table in ["exports", "export_manifests", "export_items"] {
                #expect(try await Self.left(fixture, in: table) == kept, "\(table)")
            }
            #expect(try await fixture.texts("select count(*) from stored_actions.runs") == ["3"])
            #expect(try await Self.prune(fixture).exports == 0)
        }
    }

    @Test("An export whose request for a page may be in doubt stays, and so do those of other accounts")
    func needed() async throws {
        try await LedgerFixture.with { fixture in
            let ids = try await Self.exports(fixture, [("a", 200), ("a", 200), ("a", 100)])
            let root = LedgerFixture.key(1)
            _ = try await fixture.session.query(
                """
                insert into stored_actions.page_chains
                       (stored_action_id, root_run_id, first_page, max_pages, inputs_hash, export_id, end_reason)
                values ($1, $2, '0', 10, '', $3, 'submit_unknown')
                """, root.parameters + [.int(ids[0])])
            _ = try await fixture.session.query(
                """
                insert into stored_actions.page_intents
                       (stored_action_id, root_run_id, cursor_hash, attempt, intent_id, page_number, page, export_id)
                values ($1, $2, '', 1, gen_random_uuid(), 1, 'x', $3)
                """, root.parameters + [.int(ids[0])])
            let other = try #require(ZapierAccount(name: "other"))
            #expect(try await Self.prune(fixture, account: other).exports == 0)
            #expect(try await Self.prune(fixture).exports == 1)
            #expect(try await Self.left(fixture, in: "exports") == [ids[0], ids[2]].map(String.init))
            _ = try await fixture.session.query("update stored_actions.page_chains set end_reason = 'last_page'")
            #expect(try await Self.prune(fixture).exports == 1)
        }
    }
}
