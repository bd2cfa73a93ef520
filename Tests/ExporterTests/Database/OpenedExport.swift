import ActionsAPI
import Foundation
import Logging
import Postgres

@testable import ExportCore
@testable import Exporter

/// An export that has been opened, with its work list.
@dynamicMemberLookup
struct OpenedExport {
    let ledger: Ledger
    let opening: ExportOpening
    let list: WorkList

    /// Opens all steps.
    init(
        _ ledger: Ledger, manifests: Manifests?, retryFailedPages: Bool = false, stepSize: Int = ExportOpening.stepSize,
        database: PostgresConfiguration, at now: Date
    ) async throws {
        self.ledger = ledger
        list = WorkList(directory: NSTemporaryDirectory())
        opening = ExportOpening(
            of: ledger, manifests: manifests, list: list, retryFailedPages: retryFailedPages, stepSize: stepSize,
            database: database, logger: Logger(label: "test"))
        while try await !opening.openStep(at: now).isLast {}
    }

    subscript<T>(dynamicMember path: KeyPath<Ledger, T>) -> T { ledger[keyPath: path] }

    /// Takes items as `ExportDriver` does.
    func take(_ queue: WorkQueue, limit: Int = 10) async throws -> [RunItem] {
        let items = try await list.take(queue, limit: limit).map(\.item)
        try await ledger.takeInHand(list.keysInHand)
        return items
    }

    /// Commits as `ExportDriver` does.
    @discardableResult
    func commit(_ runs: [FetchedRun], refetch: Bool = false) async throws -> [Commit] {
        let commits = try await Loader(session: ledger.session, exportID: ledger.exportID, refetch: refetch)
            .commit(runs, requests: RequestCount(total: runs.count, rateLimited: 0))
        await list.stored(commits.lazy.filter { $0.item.page == nil }.map(\.item.key))
        return commits
    }

    func remains(at now: Date = Date()) async throws -> ExportRemains {
        try await ledger.remains(await list.notReached(unopened: await opening.unopened), at: now)
    }

    func balance() async throws -> ExportBalance {
        let recorded = try await ledger.recorded()
        return ExportBalance(
            items: nil, found: await opening.found, recorded: recorded.outcomes, results: recorded.results)
    }

    /// Ends it in good order.
    func finish(isRefetchDone: Bool = false) async throws {
        try await ledger.finish(
            "incomplete", exitStatus: 75, reason: nil, balance: nil, isRefetchDone: isRefetchDone,
            requests: RequestCount())
    }
}
