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
    /// Writes the export, its manifests and its items, in one transaction: an export that is there is there whole.
    /// Runs that are settled become items that are done already.
    ///
    /// - Parameters:
    ///   - adopts: stored actions of other accounts move to this one.
    ///   - retryFailedPages: chains that ended in a page that failed go on.
    ///   - concurrency: requests that an export of these manifests has in flight at most.
    ///   - now: the present, from which `expires_at` of runs of unknown age and what is settled are reckoned.
    /// - Throws: `ManifestProblems` if a stored action belongs to another account; nothing is written then.
    static func open(
        _ manifests: Manifests, origin: ExportOrigin, refetch: Bool, adopts: Bool = false,
        retryFailedPages: Bool = false, concurrency: Int = ExportOptions().concurrency, session: PostgresSession,
        at now: Date
    ) async throws -> Ledger {
        let account = origin.account
        let names = manifests.list.map(\.name)
        let (id, since) = try await session.transaction { transaction in
            try closeKilledExports(of: names, account: account, concurrency: concurrency, in: transaction)
            let since =
                refetch ? try ExportStore.startOfUnfinishedRefetch(of: names, account: account, in: transaction) : nil
            let exportID = try ExportStore.insert(origin, refetch: refetch, in: transaction)
            try ManifestStore.insert(manifests, exportID: exportID, in: transaction)
            try ActionStore.insert(of: manifests, for: account, in: transaction)
            try ManifestStore.copyRuns(of: manifests, in: transaction)
            try ActionStore.insertOfManifestRuns(for: account, in: transaction)
            try ActionStore.claim(of: manifests, for: account, adopts: adopts, in: transaction)
            try RunStore.insertFromManifests(exportID: exportID, at: now, in: transaction)
            try ItemStore.insertFromManifests(
                exportID: exportID, refetch: refetch, since: since, at: now, in: transaction)
            try ChainStore.insertFromManifests(exportID: exportID, in: transaction)
            try beginItems(exportID: exportID, retryFailedPages: retryFailedPages, in: transaction)
            return (exportID, since)
        } wasCommitted: { transaction in
            try ExportStore.exists(origin, in: transaction)
        }
        return Ledger(session: session, exportID: id, refetchSince: refetch ? since ?? now : nil)
    }

    /// The same for all runs that earlier exports of the account left unsettled, and the roots of all its chains that
    /// have no end or one in doubt.
    static func openUnfinished(
        origin: ExportOrigin, retryFailedPages: Bool = false, concurrency: Int = ExportOptions().concurrency,
        session: PostgresSession, at now: Date
    ) async throws -> Ledger {
        let id = try await session.transaction { transaction in
            try closeKilledExports(of: [], account: origin.account, concurrency: concurrency, in: transaction)
            let exportID = try ExportStore.insert(origin, refetch: false, in: transaction)
            try ItemStore.insertUnfinished(
                of: origin.account, exportID: exportID, retryFailedPages: retryFailedPages, at: now, in: transaction)
            try beginItems(exportID: exportID, retryFailedPages: retryFailedPages, in: transaction)
            return exportID
        } wasCommitted: { transaction in
            try ExportStore.exists(origin, in: transaction)
        }
        return Ledger(session: session, exportID: id, refetchSince: nil)
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

    private static func beginItems(
        exportID: Int, retryFailedPages: Bool, in transaction: borrowing PostgresTransaction
    ) throws {
        try ChainStore.takeUpSettledRoots(exportID: exportID, in: transaction)
        if retryFailedPages { try ChainStore.reopenFailed(exportID: exportID, in: transaction) }
        try ExportStore.countItems(exportID: exportID, in: transaction)
    }
}
