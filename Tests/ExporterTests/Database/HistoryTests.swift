import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("The history that status shows")
struct HistoryTests {
    @Test("Of what is left no more runs are counted than there is time for, and it says so")
    func counts() async throws {
        try await LedgerFixture.with { db in
            _ = try await db.open([(1, nil)])
            let most = ExportHistory.Left.countLimit
            for more in [most - 1, 1] {
                _ = try await db.session.query(
                    """
                    insert into stored_actions.runs
                           (stored_action_id, run_id, root_run_id, outcome, expires_at, first_seen_at)
                    select r.stored_action_id, n.id, n.id, 'failed', now() + interval '1 day', now()
                      from (select stored_action_id from stored_actions.runs limit 1) r,
                           (select gen_random_uuid() as id from generate_series(1, $1)) n
                    """, [.int(more)])
                let history = try await ExportHistory.read(
                    export: nil, account: .standard, migrator: Migrator(toolVersion: "test"), session: db.session)
                #expect(history.left.runs == most)
                #expect(history.left.hasMoreRuns == (more == 1))
                #expect(history.left.outcomes.values.reduce(0, +) == most)
                #expect(history.left.nextToExpire.count == 5)
                #expect(history.left.failures.map(\.runs).reduce(0, +) >= most - 1)
            }
        }
    }

    @Test("An export that has ended shows the outcomes that it closed with, one that runs those of its answers")
    func outcomes() async throws {
        try await LedgerFixture.with { db in
            let export = try await db.open([(1, nil), (2, nil)])
            try await db.commit([LedgerFixture.loaded(1, status: 200, body: LoaderTests.one)], to: export)
            func shown() async throws -> ExportHistory.Export? {
                try await ExportHistory.read(
                    export: export.exportID, account: .standard, migrator: Migrator(toolVersion: "test"),
                    session: db.session
                ).exports.first
            }
            #expect(try await shown()?.outcomes == ["success": 1])
            let balance = try await export.balance()
            try await export.ledger.finish(
                "incomplete", exitStatus: 75, reason: nil, balance: balance, isRefetchDone: false,
                requests: RequestCount())
            #expect(try await shown()?.outcomes == ["success": 1, "queued": 1])
        }
    }
}
