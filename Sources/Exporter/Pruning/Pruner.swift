import ExportCore
import Foundation
import Postgres

/// Forgets what old answers brought. A run's row stays, with its outcome and its counts, so that no export asks for it
/// again. The cursors of a chain that has ended go too, for they may hold what the results did; only the one is kept
/// that a later manifest may let the chain go on with.
///
/// Batch by batch, each a transaction of its own that locks its runs in key order, as a loader does: a run's rows are
/// all there or all gone, and `pruned_at` says which.
package struct Pruner: Sendable {
    private let session: PostgresSession
    private let batch: PruneBatch

    package init(session: PostgresSession) { self.init(session: session, batch: PruneBatch()) }

    init(session: PostgresSession, batch: PruneBatch) {
        self.session = session
        self.batch = batch
    }

    /// To be done with every connection of the session. A batch names few keys of tables that may be large; by its own
    /// reckoning the server reads such a table whole for them, again for each batch.
    package static func setUp(_ connection: PostgresConnection) async throws {
        try await connection.execute(script: "set enable_hashjoin = off; set enable_mergejoin = off")
    }

    /// - Parameters:
    ///   - dryRun: counts, and changes nothing.
    ///   - isStopped: asked between two batches.
    ///   - onBatch: gets the counts so far after each batch.
    /// - Returns: whether nothing is left in the scope. What was pruned before an error stays so.
    package func prune(
        _ scope: PruneScope, dryRun: Bool, isStopped: () -> Bool = { false }, onBatch: (PruneCounts) -> Void = { _ in }
    ) async throws -> Bool {
        var counts = PruneCounts()
        var last: RunKey?
        while true {
            if isStopped() { return false }
            let keys = batch.cut(
                try await PruneStore.candidates(scope, after: last, limit: batch.runs, on: session))
            guard let end = keys.last else { return true }
            counts += dryRun ? try await PruneStore.count(keys, on: session) : try await prune(keys, scope)
            onBatch(counts)
            last = end
        }
    }

    /// Whether any manifest of the account named a run of it.
    package func contains(storedAction id: UUID, of account: ZapierAccount = .standard) async throws -> Bool {
        try await PruneStore.contains(storedAction: id, of: account, on: session)
    }

    /// What of the scope is not to be pruned.
    package func kept(_ scope: PruneScope) async throws -> PruneKept {
        try await PruneStore.kept(scope, on: session)
    }

    private func prune(_ keys: [RunKey], _ scope: PruneScope) async throws -> PruneCounts {
        // Recognizes the batch when the answer to its COMMIT was lost.
        let now = scope.now
        return try await session.transaction { transaction in
            try PruneStore.lock(keys, in: transaction)
            let keys = try PruneStore.stillToGo(keys, scope, in: transaction)
            guard !keys.isEmpty else { return PruneCounts() }
            let counts = try PruneStore.count(keys, in: transaction)
            try RunRowStore.delete(from: RunTable.allCases, of: keys, in: transaction)
            try PruneStore.mark(keys, at: now, in: transaction)
            try PruneStore.forgetChains(of: keys, in: transaction)
            return counts
        } wasCommitted: { transaction in
            try PruneStore.hasMarked(keys, at: now, in: transaction)
        }
    }
}
