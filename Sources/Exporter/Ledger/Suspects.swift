import ExportCore
import Foundation
import Postgres

/// Runs that were under way when an export died without a word. The answer to one of them may be why it died, so that
/// the next export would die of it as well, and the one after that: they are asked for last, and alone.
///
/// Nothing is written down while an export lives, for that would be a write for each request. Requests leave in the
/// order of the queue and answers are committed within a second, so what was in flight is found afterwards among the
/// first runs of that order that the dead export has not stored: as many as it had requests in flight at most. Some of
/// these may not have been asked for yet. They come late once, which does less harm than a run that stops
/// everything forever. Where more answers than that waited for their commit, a further death moves the
/// bound on.
///
/// A suspect is recorded as a failed run, with a reason of its own, until an answer to it is stored. Before it is asked
/// for it is noted when (`checked_at`), and the one that was asked for most recently comes last: if it is the culprit,
/// it has no other suspect behind it the next time.
///
/// An export that ends in good order before it has come to its suspects releases them: they expire as soon as any, and
/// where every call ends at its time limit they would never have their turn.
///
/// A page behind a root is not an item, and so never a suspect; nor is a run that was polled. The next export fetches it
/// like any other, and finds it only if it dies of that as well.
enum Suspects {
    /// `runs.failure` of a suspect, and of no other run.
    static let failure =
        "an export died while this run was being fetched, or was about to be: it is asked for last, and alone"
    /// `runs.failure` of a run that is a suspect no longer.
    static let released = "an export died while this run was being fetched, or was about to be"

    /// - Parameters:
    ///   - exportIDs: of exports that have died.
    ///   - concurrency: how many runs each had in flight at most.
    static func mark(
        ofExports exportIDs: [Int], concurrency: Int, in transaction: borrowing PostgresTransaction
    ) throws {
        _ = try transaction.query(SQL.markSuspects, [.ints(exportIDs), .text(failure), .int(concurrency)])
    }
}

extension Ledger {
    /// The suspects that are left. Whatever else is not reached has been read before.
    func suspects(limit: Int) async throws -> [RunItem] {
        let rows = try await session.query(
            """
            select \(Ledger.itemColumns)
              from stored_actions.export_items i
              join stored_actions.runs r using (stored_action_id, run_id)
             where i.export_id = $1 and i.action = 'not_reached' and r.failure = $2
             order by r.checked_at nulls first, i.stored_action_id, i.run_id
             limit $3
            """, [.int(exportID), .text(Suspects.failure), .int(limit)])
        return try rows.map { row in
            var item = try RunItem(row)
            item.isSuspect = true
            return item
        }
    }

    /// The export ends before it has come to them: the next one asks for them in their order.
    func releaseSuspects() async throws {
        _ = try await session.query(
            """
            update stored_actions.runs r
               set failure = $3
              from stored_actions.export_items i
             where i.export_id = $1 and i.action = 'not_reached'
               and r.stored_action_id = i.stored_action_id and r.run_id = i.run_id and r.failure = $2
            """, [.int(exportID), .text(Suspects.failure), .text(Suspects.released)])
    }

    /// It is behind all other suspects from now on.
    func willAskSuspect(_ key: RunKey) async throws {
        _ = try await session.query(
            """
            update stored_actions.runs
               set checked_at = clock_timestamp()
             where stored_action_id = $1 and run_id = $2 and failure = $3
            """, key.parameters + [.text(Suspects.failure)])
    }
}
