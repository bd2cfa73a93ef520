import ExportCore
import Foundation
import Postgres

/// The table `page_chains`: one row for each root whose manifest asks for its pages. What a batch changes in it is in
/// `PageStore`.
enum ChainStore {
    /// Locks a chain and reads it; nil if no manifest ever asked for it.
    static func lock(_ root: RunKey, in transaction: borrowing PostgresTransaction) throws -> Chain? {
        // First locked, then read: a statement that had to wait for a lock shows the row as it is by then, but what is
        // joined to it as it was before the wait.
        _ = try transaction.query(
            """
            select 1 as one from stored_actions.page_chains
             where stored_action_id = $1 and root_run_id = $2
               for update
            """, root.parameters)
        return try transaction.query(
            """
            select \(ChainRows.columns)
              from stored_actions.page_chains c
              \(ChainRows.liveAttempt)
             where c.stored_action_id = $1 and c.root_run_id = $2
            """, root.parameters
        ).first.map(Chain.init)
    }

    /// The chains of that root run, with whether the next page is in doubt.
    static func withRoot(
        _ rootRunID: UUID, of storedActionID: UUID?, account: ZapierAccount,
        in transaction: borrowing PostgresTransaction
    ) throws -> [(root: RunKey, isInDoubt: Bool)] {
        try transaction.query(
            """
            select c.stored_action_id, c.root_run_id,
                   c.end_reason is not distinct from 'submit_unknown' as is_in_doubt
              from stored_actions.page_chains c
             where c.root_run_id = $1 and ($2::uuid is null or c.stored_action_id = $2)
               and \(ZapierAccount.owns("c", "$3"))
             order by c.stored_action_id
            """, [.uuid(rootRunID), .uuid(storedActionID), .text(account.name)]
        ).map { (try RunKey($0, run: "root_run_id"), try $0.decode("is_in_doubt")) }
    }

    /// Records how a chain ended, unless the chain has gone on or its intent has been settled since it was read.
    static func end(
        _ chain: Chain, _ end: ChainEnd, failedAttempts: Int, intentID: UUID?, exportID: Int,
        in transaction: borrowing PostgresTransaction
    ) throws {
        _ = try transaction.query(
            """
            update stored_actions.page_chains
               set end_reason = $4, end_detail = $5, failed_attempts = $6, export_id = $7, loaded_at = now()
             where stored_action_id = $1 and root_run_id = $2 and pages = $3 and end_reason is null
               and failed_attempts <= $6
               and ($8::uuid is null
                    or exists (select from stored_actions.page_intents where intent_id = $8 and run_id is null))
            """,
            chain.root.parameters + [
                .int(chain.pages), .text(end.reason.rawValue), .text(end.detail), .int(failedAttempts),
                .int(exportID), .uuid(intentID),
            ])
    }

    // MARK: Doubt

    /// Lets a chain that was in doubt for an intent go on. It runs before any intent is changed, everywhere: or two
    /// exports of one chain would wait for each other in a circle.
    static func clearDoubt(of root: RunKey, in transaction: borrowing PostgresTransaction) throws {
        _ = try transaction.query(
            """
            update stored_actions.page_chains
               set end_reason = null, end_detail = null
             where stored_action_id = $1 and root_run_id = $2 and end_reason = 'submit_unknown'
            """, root.parameters)
    }

    /// Locks the chains that had no whole end, and whose root was known then, and reads them.
    static func lock(
        of account: ZapierAccount, knownAt time: Date, in transaction: borrowing PostgresTransaction
    ) throws -> [Chain] {
        let condition = """
            (c.end_reason is null or c.end_reason not in ('last_page', 'empty_pages', 'repeated_cursor'))
               and (c.restored_to is null or c.restored_to < $1)
               and exists (select from stored_actions.runs r
                            where r.stored_action_id = c.stored_action_id and r.run_id = c.root_run_id
                              and r.first_seen_at <= $1)
               and \(ZapierAccount.owns("c", "$2"))
            """
        let parameters: [PostgresParameter] = [.timestamp(time), .text(account.name)]
        _ = try transaction.query(
            """
            select 1 as one from stored_actions.page_chains c where \(condition)
             order by c.stored_action_id, c.root_run_id
               for update of c
            """, parameters)
        return try transaction.query(
            """
            select \(ChainRows.columns)
              from stored_actions.page_chains c
              \(ChainRows.liveAttempt)
             where \(condition)
             order by c.stored_action_id, c.root_run_id
            """, parameters
        ).map(Chain.init)
    }

    /// - Parameter chains: each with the end that the doubt gives it; nil: the chain keeps its own.
    static func putInDoubt(
        _ chains: [(root: RunKey, end: ChainEnd?)], restoredTo time: Date, in transaction: borrowing PostgresTransaction
    ) throws {
        _ = try transaction.query(
            """
            update stored_actions.page_chains c
               set restored_to = $1, restore_settled_at = null,
                   end_reason = coalesce(n.end_reason, c.end_reason), end_detail = coalesce(n.end_detail, c.end_detail),
                   loaded_at = now()
              from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[])
                   as n(stored_action_id, root_run_id, end_reason, end_detail)
             where c.stored_action_id = n.stored_action_id and c.root_run_id = n.root_run_id
            """,
            [.timestamp(time)] + chains.map(\.root).parameters + [
                .texts(chains.map(\.end?.reason.rawValue)), .texts(chains.map(\.end?.detail)),
            ])
    }

    /// An operator has said that no further page was asked for in the lost time.
    static func settleRestore(of root: RunKey, in transaction: borrowing PostgresTransaction) throws {
        _ = try transaction.query(
            """
            update stored_actions.page_chains set restore_settled_at = now()
             where stored_action_id = $1 and root_run_id = $2 and restored_to is not null
               and restore_settled_at is null
            """, root.parameters)
    }
}
