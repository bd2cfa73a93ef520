import ActionsAPI
import ExportCore
import Foundation
import Postgres

/// What an export is about, as its row records it.
package struct ExportOrigin: Sendable {
    /// Finds the export again when the answer to the COMMIT that opened it was lost.
    package let callID = UUID()
    package var apiURL: String
    package var toolVersion: String
    package var host: String
    package var account: ZapierAccount
    package var processID: Int
    /// Seconds from its opening until its time limit is over; nil without a limit.
    var timeLimit: TimeInterval?

    package init(
        apiURL: String, toolVersion: String, host: String, account: ZapierAccount = .standard,
        processID: Int = Int(ProcessInfo.processInfo.processIdentifier)
    ) {
        self.apiURL = apiURL
        self.toolVersion = toolVersion
        self.host = host
        self.account = account
        self.processID = processID
    }
}

extension Ledger {
    /// Writes the export and its manifests, in one transaction. `ExportOpening` follows with the runs.
    ///
    /// - Parameters:
    ///   - adopts: stored actions of other accounts move to this one.
    ///   - concurrency: requests that an export of these manifests has in flight at most.
    ///   - now: the present, when a refetch begins.
    /// - Throws: `ManifestProblems` if a stored action belongs to another account; nothing is written then.
    static func begin(
        _ manifests: Manifests, origin: ExportOrigin, refetch: Bool, adopts: Bool = false,
        concurrency: Int = ExportOptions().concurrency, session: PostgresSession, at now: Date
    ) async throws -> Ledger {
        let account = origin.account
        let names = manifests.list.map(\.name)
        let (id, since) = try await session.transaction { transaction in
            try closeKilledExports(of: names, account: account, concurrency: concurrency, in: transaction)
            let since =
                refetch
                ? try ExportStore.startOfUnfinishedRefetch(of: names, account: account, in: transaction) ?? now : nil
            let exportID = try ExportStore.insert(
                origin, items: manifests.runCount, refetchSince: since, in: transaction)
            try ManifestStore.insert(manifests, exportID: exportID, in: transaction)
            try ActionStore.insert(of: manifests, for: account, in: transaction)
            try ActionStore.claim(of: manifests, for: account, adopts: adopts, in: transaction)
            return (exportID, since)
        } wasCommitted: { transaction in
            try ExportStore.exists(origin, in: transaction)
        }
        return Ledger(session: session, exportID: id, account: account, refetchSince: since)
    }

    /// The same for an export of all that earlier exports of the account left: unsettled runs, and chains that have no
    /// end or one in doubt.
    ///
    /// - Parameter retryFailedPages: chains that ended in a page that failed go on.
    static func beginUnfinished(
        origin: ExportOrigin, retryFailedPages: Bool = false, concurrency: Int = ExportOptions().concurrency,
        session: PostgresSession
    ) async throws -> Ledger {
        let account = origin.account
        let id = try await session.transaction { transaction in
            try closeKilledExports(of: [], account: account, concurrency: concurrency, in: transaction)
            let exportID = try ExportStore.insert(origin, items: 0, refetchSince: nil, in: transaction)
            if retryFailedPages {
                try UnfinishedStore.reopenFailedChains(of: account, exportID: exportID, in: transaction)
            }
            return exportID
        } wasCommitted: { transaction in
            try ExportStore.exists(origin, in: transaction)
        }
        return Ledger(session: session, exportID: id, account: account, refetchSince: nil)
    }

    /// Holding a manifest's lock proves that no other export of it is alive.
    private static func closeKilledExports(
        of names: [String], account: ZapierAccount, concurrency: Int, in transaction: borrowing PostgresTransaction
    ) throws {
        let exportIDs = try ExportStore.killed(of: names, account: account, in: transaction)
        guard !exportIDs.isEmpty else { return }
        try Suspects.mark(ofExports: exportIDs, concurrency: concurrency, in: transaction)
        try ExportStore.closeKilled(exportIDs, in: transaction)
    }
}
