import ActionsAPI
import ExportCore
import Foundation
import Postgres

/// The ledger's part in chains of pages. What POSTs need is written by `IntentLog`, what pages bring by `Loader`.
extension Ledger {
    /// Those of the chains that go on behind a stored root, and that this export has not left.
    ///
    /// - Parameter roots: with the positions of their inputs.
    func openChains(_ roots: [(key: RunKey, manifestPosition: Int?)]) async throws -> [OpenChain] {
        let chains = try await session.query(
            """
            select \(ChainRows.columns)
              from \(RunKey.unnested())
              join stored_actions.page_chains c on c.stored_action_id = k.stored_action_id and c.root_run_id = k.run_id
              \(ChainRows.liveAttempt)
             where c.pages > 0 and c.end_reason is null and c.left_by is distinct from $3
            """, roots.map(\.key).parameters + [.int(exportID)]
        ).map(Chain.init)
        let byRoot = Dictionary(chains.map { ($0.root, $0) }, uniquingKeysWith: { first, _ in first })
        return roots.compactMap { root in
            byRoot[root.key].map { OpenChain(chain: $0, manifestPosition: root.manifestPosition) }
        }
    }

    /// The chain in its present state.
    func chain(_ root: RunKey) async throws -> Chain? {
        try await session.query(
            """
            select \(ChainRows.columns)
              from stored_actions.page_chains c
              \(ChainRows.liveAttempt)
             where c.stored_action_id = $1 and c.root_run_id = $2
            """, root.parameters
        ).first.map(Chain.init)
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
            update stored_actions.page_chains set left_by = $1, left_for = $4, end_detail = $5
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
}
