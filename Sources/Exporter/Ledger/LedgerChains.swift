import ActionsAPI
import ExportCore
import Foundation
import Postgres

/// The ledger's part in chains of pages. What POSTs need is written by `IntentLog`, what pages bring by `Loader`.
extension Ledger {
    /// The next chains that go on behind a stored root and that this export has not left, those first whose
    /// cursor is the oldest.
    func openChains(limit: Int) async throws -> [OpenChain] {
        try await chains("c.pages > 0 and c.end_reason is null and i.chain_left is null", limit: limit)
    }

    /// The chain in its present state; nil if the export has no such item.
    func openChain(_ root: RunKey) async throws -> OpenChain? {
        try await chains(
            "c.stored_action_id = $3 and c.root_run_id = $4", root.parameters, limit: 1
        ).first
    }

    private func chains(
        _ condition: String, _ parameters: [PostgresParameter] = [], limit: Int
    ) async throws -> [OpenChain] {
        let rows = try await session.query(
            """
            select \(ChainRows.columns), i.manifest_position
              from stored_actions.export_items i
              join stored_actions.page_chains c on c.stored_action_id = i.stored_action_id and c.root_run_id = i.run_id
              \(ChainRows.liveAttempt)
             where i.export_id = $1 and i.follow_pages and \(condition)
             order by c.advanced_at, c.stored_action_id, c.root_run_id
             limit $2
            """, [.int(exportID), .int(limit)] + parameters)
        return try rows.map { row in
            OpenChain(chain: try Chain(row), manifestPosition: try row.decode("manifest_position"))
        }
    }

    /// Writes down how a chain ended, unless it has gone on meanwhile.
    ///
    /// - Parameter intentID: of the request that is in doubt, which may have been settled since.
    func end(_ chain: Chain, _ end: ChainEnd, failedAttempts: Int, intentID: UUID?) async throws {
        let exportID = exportID
        try await session.transaction { transaction in
            // A statement that had to wait for the chain's lock would not see a run that was recorded meanwhile.
            _ = try ChainStore.lock(chain.root, in: transaction)
            try ChainStore.end(
                chain, end, failedAttempts: failedAttempts, intentID: intentID, exportID: exportID, in: transaction)
        } wasCommitted: { _ in
            false
        }
    }

    /// Writes down why this export goes no further with a chain.
    func leave(_ root: RunKey, _ left: ChainLeft) async throws {
        _ = try await session.query(
            """
            with item as (
              update stored_actions.export_items set chain_left = $4
               where export_id = $1 and stored_action_id = $2 and run_id = $3
            )
            update stored_actions.page_chains set end_detail = $5
             where stored_action_id = $2 and root_run_id = $3 and end_reason is null
            """, [.int(exportID)] + root.parameters + [.text(left.reason.rawValue), .text(left.detail)])
    }

    /// Keeps the API's description of a stored action, so that no export asks again.
    func remember(_ action: StoredActionDescription, of storedActionID: UUID) async throws {
        _ = try await session.query(
            """
            update stored_actions.actions set action_type = $2, action_key = $3, selected_api = $4
             where stored_action_id = $1
            """,
            [
                .uuid(storedActionID), .text(storable(action.actionType)), .text(storable(action.actionKey)),
                .text(storable(action.selectedAPI)),
            ])
    }

    /// The next stored pages that `--refetch` asks for again, by GET alone.
    func pagesToRefetch(after cursor: WorkCursor?, limit: Int) async throws -> [RunItem] {
        let rows = try await session.query(
            """
            select r.stored_action_id, r.run_id, r.root_run_id, r.expires_at, r.first_seen_at, r.seen_alive
              from stored_actions.export_items i
              join stored_actions.runs r
                on r.stored_action_id = i.stored_action_id and r.root_run_id = i.run_id and r.page_number > 0
             where i.export_id = $1 and i.follow_pages and r.outcome in ('success', 'error') and r.fetched_at < $2
               and ($3::timestamptz is null
                    or (r.expires_at, r.stored_action_id, r.run_id) > ($3, $4::uuid, $5::uuid))
             order by r.expires_at, r.stored_action_id, r.run_id
             limit $6
            """,
            [.int(exportID), .timestamp(refetchSince), .timestamp(cursor?.expiresAt)]
                + (cursor?.key).parameters + [.int(limit)])
        return try rows.map { row in
            var item = RunItem(
                key: try RunKey(row), expiresAt: try row.decode("expires_at"), seenAlive: try row.decode("seen_alive"))
            item.page = PageOfChain(
                root: try RunKey(row, run: "root_run_id"), submittedAt: try row.decode("first_seen_at"), isRefetch: true
            )
            return item
        }
    }

    // MARK: The end

    /// The items' chains by their ends. One whose root is not stored does not count yet: its item's outcome covers it.
    func chainCounts() async throws -> [EndReason?: Int] {
        let rows = try await session.query(
            """
            select c.end_reason, count(*) as chains
              from stored_actions.export_items i
              join stored_actions.page_chains c on c.stored_action_id = i.stored_action_id and c.root_run_id = i.run_id
             where i.export_id = $1 and i.follow_pages and (c.pages > 0 or c.end_reason is not null)
             group by c.end_reason
            """, [.int(exportID)])
        var counts: [EndReason?: Int] = [:]
        for row in rows {
            let reason = try row.decode("end_reason", as: String?.self).map(EndReason.init(named:))
            counts[reason] = try row.decode("chains", as: Int.self)
        }
        return counts
    }
}
