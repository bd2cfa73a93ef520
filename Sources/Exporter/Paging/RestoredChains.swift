import ExportCore
import Foundation
import Postgres

/// After a restore of the database to an earlier time: which chains may have asked for pages that it does not know of.
///
/// All that a restored database holds of a chain is what it held then. The exports of the lost time may have asked for
/// any number of further pages, so the page that is next is in doubt, and each one after it, until an operator says of
/// one that it was not asked for.
package struct RestoredChains: Sendable {
    package struct Report: Sendable, Equatable {
        /// Chains whose next page is in doubt from now on.
        package var inDoubt = 0
        /// Chains whose next page is in doubt once a page that is known is stored: the root, or one under way.
        package var later = 0
        /// Chains that were in doubt already, and whose further pages are now as well.
        package var before = 0
        /// Chains that had ended early, and whose next page is in doubt if they go on.
        package var ended = 0

        package init() {}
    }

    private let session: PostgresSession
    private let account: ZapierAccount

    /// - Parameter account: whose chains are put in doubt.
    package init(session: PostgresSession, account: ZapierAccount) {
        self.session = session
        self.account = account
    }

    /// Puts the chains in doubt that had no whole end at that time. Those that were put in doubt for the same time, or a
    /// later one, are left as they are.
    ///
    /// - Parameter dryRun: counts, and changes nothing.
    /// - Returns: nil if the time has not come yet by the database's clock.
    package func putInDoubt(restoredTo time: Date, dryRun: Bool) async throws -> Report? {
        let account = account
        return try await session.transaction { transaction in
            let isPast = try transaction.query("select $1::timestamptz <= now() as yes", [.timestamp(time)])
            guard try isPast.first?.decode("yes") == true else { return nil }
            try transaction.makeDurable()
            let chains = try transaction.chains(of: account, knownAt: time)
            if !dryRun { try transaction.putInDoubt(chains, restoredTo: time) }
            return chains.reduce(into: Report()) { $0.add($1) }
        } wasCommitted: { transaction in
            try dryRun || transaction.chains(of: account, knownAt: time).isEmpty
        }
    }
}

extension RestoredChains.Report {
    fileprivate mutating func add(_ chain: Chain) {
        switch chain.end?.reason {
        case .submitUnknown: before += 1
        case nil: if chain.isNextPageUnknown { inDoubt += 1 } else { later += 1 }
        default: ended += 1
        }
    }
}

extension Chain {
    /// It goes on, and nothing is known of its next page but its cursor.
    fileprivate var isNextPageUnknown: Bool {
        end == nil && pages > 0 && attempt?.runID == nil && attempt?.isInFlight != true
    }
}

extension PostgresTransaction {
    /// Locks the chains that had no whole end, and whose root was known then, and reads them.
    fileprivate borrowing func chains(of account: ZapierAccount, knownAt time: Date) throws -> [Chain] {
        let condition = """
            (c.end_reason is null or c.end_reason not in ('last_page', 'empty_pages', 'repeated_cursor'))
               and (c.restored_to is null or c.restored_to < $1)
               and exists (select from stored_actions.runs r
                            where r.stored_action_id = c.stored_action_id and r.run_id = c.root_run_id
                              and r.first_seen_at <= $1)
               and \(ZapierAccount.owns("c", "$2"))
            """
        let parameters: [PostgresParameter] = [.timestamp(time), .text(account.name)]
        _ = try query(
            """
            select 1 as one from stored_actions.page_chains c where \(condition)
             order by c.stored_action_id, c.root_run_id
               for update of c
            """, parameters)
        return try query(
            """
            select \(ChainRows.columns)
              from stored_actions.page_chains c
              \(ChainRows.liveAttempt)
             where \(condition)
             order by c.stored_action_id, c.root_run_id
            """, parameters
        ).map(Chain.init)
    }

    fileprivate borrowing func putInDoubt(_ chains: [Chain], restoredTo time: Date) throws {
        let ends = chains.map { chain in
            chain.isNextPageUnknown ? ChainEnd.lostToRestore(page: chain.pages, restoredTo: time) : nil
        }
        _ = try query(
            """
            update stored_actions.page_chains c
               set restored_to = $1, restore_settled_at = null,
                   end_reason = coalesce(n.end_reason, c.end_reason), end_detail = coalesce(n.end_detail, c.end_detail),
                   loaded_at = now()
              from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[])
                   as n(stored_action_id, root_run_id, end_reason, end_detail)
             where c.stored_action_id = n.stored_action_id and c.root_run_id = n.root_run_id
            """,
            [
                .timestamp(time), .uuids(chains.map(\.root.storedActionID)), .uuids(chains.map(\.root.runID)),
                .texts(ends.map(\.?.reason.rawValue)), .texts(ends.map(\.?.detail)),
            ])
    }

    /// Writes the intent of a page that was asked for in the lost time.
    ///
    /// - Returns: nil if the chain does not know the page's cursor.
    borrowing func insertLostIntent(of chain: Chain) throws -> Chain.Attempt? {
        guard let cursor = chain.cursor, chain.pages > 0 else { return nil }
        let (intentID, time) = (UUID(), chain.restoredTo)
        let rows = try query(
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

    /// An operator has said that no further page was asked for in the lost time.
    borrowing func settleRestore(of root: RunKey) throws {
        _ = try query(
            """
            update stored_actions.page_chains set restore_settled_at = now()
             where stored_action_id = $1 and root_run_id = $2 and restored_to is not null
               and restore_settled_at is null
            """, root.parameters)
    }
}
