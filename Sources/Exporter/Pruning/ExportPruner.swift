import ActionsAPI
import ExportCore
import Foundation
import Postgres

/// Which exports are to be forgotten: those that ended long enough ago.
package struct ExportPruneScope: Sendable, Equatable {
    package let endedBefore: Date
    let account: ZapierAccount

    /// - Parameter now: the present by the database's clock.
    package init(olderThan age: Duration, account: ZapierAccount = .standard, at now: Date) {
        endedBefore = max(now - age.seconds, Date(timeIntervalSince1970: 0))
        self.account = account
    }
}

/// Forgets old exports, with the record of what each asked for. The runs, and what is stored of them, stay.
///
/// The newest export of each manifest is kept, one that runs, and one whose request for a page may be in doubt. The rows
/// of a large export go in batches, its own row last: what is cut off is continued.
package struct ExportPruner: Sendable {
    private let session: PostgresSession
    private let batchSize: Int

    package init(session: PostgresSession) { self.init(session: session, batchSize: 10_000) }

    init(session: PostgresSession, batchSize: Int) {
        self.session = session
        self.batchSize = batchSize
    }

    /// - Parameters:
    ///   - dryRun: counts, and changes nothing.
    ///   - isStopped: asked between two batches.
    ///   - onBatch: gets what each batch has added to the counts.
    /// - Returns: whether nothing is left in the scope.
    package func prune(
        _ scope: ExportPruneScope, dryRun: Bool, isStopped: () -> Bool = { false },
        onBatch: (PruneCounts) -> Void = { _ in }
    ) async throws -> Bool {
        var last: Int?
        while true {
            let exportIDs = try await ExportPruneStore.candidates(
                of: scope.account, endedBefore: scope.endedBefore, after: last, limit: 100, on: session)
            guard let end = exportIDs.last else { return true }
            for exportID in exportIDs {
                if isStopped() { return false }
                if dryRun {
                    let items = try await ExportPruneStore.countItems(of: exportID, on: session)
                    onBatch(PruneCounts(exports: 1, exportItems: items))
                } else if try await !prune(exportID, isStopped, onBatch) {
                    return false
                }
            }
            last = end
        }
    }

    private func prune(
        _ exportID: Int, _ isStopped: () -> Bool, _ onBatch: (PruneCounts) -> Void
    ) async throws -> Bool {
        let limit = batchSize
        var last: RunKey?
        while true {
            let deleted = try await transaction { [last] in
                try ExportPruneStore.deleteItems(of: exportID, after: last, limit: limit, in: $0)
            }
            onBatch(PruneCounts(exportItems: deleted.count))
            if deleted.count < limit { break }
            last = deleted.last
            if isStopped() { return false }
        }
        try await transaction { try ExportPruneStore.delete(exportID, in: $0) }
        onBatch(PruneCounts(exports: 1))
        return true
    }

    private func transaction<R: Sendable>(
        _ body: @Sendable (borrowing PostgresTransaction) throws -> R
    ) async throws -> R {
        try await session.transaction(body) { _ in
            // Done again, it finds nothing left to do.
            false
        }
    }
}
