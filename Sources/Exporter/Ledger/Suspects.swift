import ExportCore
import Foundation
import Postgres

/// Runs that were under way when an export died without a word. The answer to one of them may be why it died, so that
/// the next export would die of it as well, and the one after that: they are asked for last, and alone.
///
/// An export writes down which runs it takes from its work list, a batch at a time: to write each request down would be a
/// write for each. Requests leave in the order of the list and answers are committed within a second, so what was in
/// flight is found afterwards among the first of those runs that the dead export has not stored: as many as it had
/// requests in flight at most. Some of these may not have been asked for yet. They come late once, which does less harm
/// than a run that stops everything forever. Where more answers than that waited for their commit, a further death
/// moves the bound on.
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
    /// The export ends before it has come to them: the next one asks for them in their order.
    func release(suspects keys: [RunKey]) async throws {
        guard !keys.isEmpty else { return }
        _ = try await session.query(
            """
            update stored_actions.runs r
               set failure = $4
              from \(RunKey.unnested())
             where r.stored_action_id = k.stored_action_id and r.run_id = k.run_id and r.failure = $3
            """, keys.parameters + [.text(Suspects.failure), .text(Suspects.released)])
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
