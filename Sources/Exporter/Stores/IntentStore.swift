import ExportCore
import Foundation
import Postgres

/// The table `page_intents`: one row for each POST that was about to be sent, and the run that it started.
enum IntentStore {
    static func insert(
        _ submission: PageFollower.Submission, exportID: Int, in transaction: borrowing PostgresTransaction
    ) throws {
        _ = try transaction.query(
            """
            insert into stored_actions.page_intents
                   (stored_action_id, root_run_id, cursor_hash, attempt, intent_id, page_number, page, export_id)
            values ($1, $2, sha256(convert_to($3, 'UTF8')), $4, $5, $6, $3, $7)
            """,
            submission.root.parameters + [
                .text(submission.cursor), .int(submission.attempt), .uuid(submission.intentID),
                .int(submission.pageNumber), .int(exportID),
            ])
    }

    /// Writes the intent of a page that was asked for in the lost time.
    ///
    /// - Returns: nil if the chain does not have the page's cursor.
    static func insertLost(
        of chain: Chain, in transaction: borrowing PostgresTransaction
    ) throws -> Chain.Attempt? {
        guard let cursor = chain.cursor, chain.pages > 0 else { return nil }
        let (intentID, time) = (UUID(), chain.restoredTo)
        let rows = try transaction.query(
            """
            insert into stored_actions.page_intents
                   (stored_action_id, root_run_id, cursor_hash, attempt, intent_id, page_number, page, export_id,
                    intended_at)
            select c.stored_action_id, c.root_run_id, sha256(convert_to($3, 'UTF8')), $4, $5, $6, $3, c.export_id,
                   coalesce($7, now())
              from stored_actions.page_chains c
             where c.stored_action_id = $1 and c.root_run_id = $2
            returning intended_at
            """,
            chain.root.parameters + [
                .text(cursor), .int(chain.failedAttempts + 1), .uuid(intentID), .int(chain.pages), .timestamp(time),
            ])
        return try rows.first.map { row in
            Chain.Attempt(intentID: intentID, runID: nil, askedAt: try row.decode("intended_at"))
        }
    }

    static func has(_ intentID: UUID, in transaction: borrowing PostgresTransaction) throws -> Bool {
        try !transaction.query(
            "select from stored_actions.page_intents where intent_id = $1", [.uuid(intentID)]
        ).isEmpty
    }

    /// Whether the intent became that run.
    static func has(_ intentID: UUID, runID: UUID, in transaction: borrowing PostgresTransaction) throws -> Bool {
        try !transaction.query(
            "select from stored_actions.page_intents where intent_id = $1 and run_id = $2",
            [.uuid(intentID), .uuid(runID)]
        ).isEmpty
    }

    /// Writes down which run the intent became, and that run's row. A chain that was in doubt for it goes on.
    ///
    /// - Returns: false, and nothing is written, if the run is one of a chain already.
    static func record(
        _ runID: UUID, root: RunKey, intentID: UUID, exportID: Int?, at now: Date,
        in transaction: borrowing PostgresTransaction
    ) throws -> Bool {
        // An operator was faster.
        if try has(intentID, runID: runID, in: transaction) {
            try ChainStore.clearDoubt(of: root, in: transaction)
            return true
        }
        let written = try transaction.query(
            """
            insert into stored_actions.runs as r
                   (stored_action_id, run_id, root_run_id, page, page_number, expires_at, first_seen_at, export_id)
            select p.stored_action_id, $3, p.root_run_id, p.page, p.page_number,
                   $6 + make_interval(secs => \(retention.components.seconds)), $6, coalesce($5, p.export_id)
              from stored_actions.page_intents p
             where p.stored_action_id = $1 and p.root_run_id = $2 and p.intent_id = $4
                on conflict (stored_action_id, run_id) do update
               set root_run_id = excluded.root_run_id, page = excluded.page, page_number = excluded.page_number
             where r.root_run_id = r.run_id and r.run_id <> excluded.root_run_id
               and not exists (select from stored_actions.page_chains c
                                where c.stored_action_id = r.stored_action_id and c.root_run_id = r.run_id)
            returning 1 as one
            """, root.parameters + [.uuid(runID), .uuid(intentID), .int(exportID), .timestamp(now)])
        guard !written.isEmpty else { return false }
        try ChainStore.clearDoubt(of: root, in: transaction)
        _ = try transaction.query(
            "update stored_actions.page_intents set run_id = $2, recorded_at = $3 where intent_id = $1",
            [.uuid(intentID), .uuid(runID), .timestamp(now)])
        return true
    }

    /// Deletes an intent of which it is known that it started nothing. A chain that was in doubt for it goes on.
    static func takeBack(
        _ intentID: UUID?, of root: RunKey, in transaction: borrowing PostgresTransaction
    ) throws {
        try ChainStore.clearDoubt(of: root, in: transaction)
        _ = try transaction.query(
            "delete from stored_actions.page_intents where intent_id = $1 and run_id is null", [.uuid(intentID)])
    }
}
