import Foundation
import Logging
import Postgres
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("An export that opens while another one asks for a page")
struct ChainRaceTests {
    @Test("Leaves the inputs that the page is asked for with, though it read the chain before")
    func inputs() async throws {
        try await LedgerFixture.with { fixture in
            let ledger = try await fixture.openChain()
            let (locked, hasLocked) = AsyncStream<Void>.makeStream()
            let (key, exportID) = (LedgerFixture.key(1), ledger.exportID)
            try await PostgresSession.withSession(fixture.database) { other in
                async let asked: Void = other.transaction { transaction in
                    _ = try ChainStore.lock(key, in: transaction)
                    try transaction.insertIntent(of: key, exportID: exportID)
                    hasLocked.yield()
                    try transaction.waitUntilSomebodyWaits()
                } wasCommitted: { _ in
                    true
                }
                for await _ in locked { break }
                let second = try await fixture.open(
                    [(number: 1, executedAt: nil)], name: "other", followsPages: true, inputs: #"{"list": "other"}"#)
                try await asked
                let open = try #require(try await second.ledger.chain(key))
                #expect(open.inputsHash == InputsHash.none)
                #expect(open.attempt != nil)
            }
        }
    }
}

extension PostgresTransaction {
    fileprivate borrowing func insertIntent(of root: RunKey, exportID: Int) throws {
        _ = try query(
            """
            insert into stored_actions.page_intents
                   (stored_action_id, root_run_id, cursor_hash, attempt, intent_id, page_number, page, export_id)
            values ($1, $2, sha256('1'), 1, gen_random_uuid(), 1, '1', $3)
            """, root.parameters + [.int(exportID)])
    }
}

extension PostgresTransaction {
    /// Another session of this database waits for a lock.
    borrowing func waitUntilSomebodyWaits() throws {
        for _ in 1...100_000 {
            _ = try query("select pg_stat_clear_snapshot()::text")
            let waiting = try query(
                """
                select 1 as one from pg_stat_activity
                 where datname = current_database() and wait_event_type = 'Lock' and pid <> pg_backend_pid()
                """)
            if !waiting.isEmpty { return }
        }
        throw NobodyWaits()
    }
}

private struct NobodyWaits: Error {}
