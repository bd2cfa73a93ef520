import ActionsAPI
import ExportCore
import Foundation
import Postgres

/// What an export does to the database, tried without leaving a trace: in a transaction that is rolled back.
///
/// Its statements find or add no row, so that no trigger of the owner's sees one. A schema that is not there is made;
/// one that is behind is not changed even for a moment, because exports may be using it.
package struct Rehearsal: Sendable {
    private let migrator: Migrator

    package init(toolVersion: String) {
        migrator = Migrator(toolVersion: toolVersion)
    }

    /// - Returns: how many migrations are to be applied.
    /// - Throws: what an export would meet: `SchemaProblem`, `PostgresError`.
    package func run(on session: PostgresSession) async throws -> Int {
        _ = try await migrator.pending(on: session)
        do {
            return try await session.transaction(lockLimit: .seconds(5)) { transaction -> Int in
                var applied = try MigrationStore.applied(in: transaction)
                if applied.isEmpty {
                    try MigrationStore.lockOutOthers(in: transaction)
                    applied = try MigrationStore.applied(in: transaction)
                }
                let pending = try migrator.plan(applied)
                if applied.isEmpty {
                    for migration in pending { try migrator.apply(migration, in: transaction) }
                } else if !pending.isEmpty, let refusal = try SchemaOwnership(transaction).refusal {
                    throw refusal
                }
                try transaction.execute(script: Self.opening)
                if applied.isEmpty || pending.isEmpty {
                    if let refusal = try SchemaChanges(transaction).refusal { throw refusal }
                    try transaction.execute(script: SQL.rehearsal)
                    try Self.commitNothing(in: transaction)
                }
                throw Done(pending: pending.count)
            } wasCommitted: { _ in
                false
            }
        } catch let done as Done {
            return done.pending
        } catch {
            throw await SchemaProblem.explaining(error, on: session)
        }
    }

    private struct Done: Error {
        var pending: Int
    }

    /// Also what a server that takes no writes refuses.
    private static let opening = "create temporary table extras (run_id uuid) on commit drop"

    /// The statements of a batch, of no run that exists.
    private static func commitNothing(in transaction: borrowing PostgresTransaction) throws {
        let key = RunKey(storedActionID: UUID(), runID: UUID())
        let run = FetchedRun(
            item: RunItem(key: key, expiresAt: .distantFuture), verdict: .unanswered, answeredAt: .now)
        _ = try RunStore.lock([key], in: transaction)
        try RunRowStore.delete(from: RunTable.allCases, of: [key], in: transaction)
        try RunRowStore.copyResults([], exportID: 0, in: transaction)
        try RunRowStore.copyErrors([], exportID: 0, in: transaction)
        try RunRowStore.copyAPIErrors([], exportID: 0, in: transaction)
        try RunRowStore.copyBodies([], exportID: 0, in: transaction)
        try RunStore.countRequests([run], in: transaction)
        try ExportStore.countBatch(0, lane: 0, exportID: 0, requests: RequestCount(), in: transaction)
    }
}
