import ExportCore
import Foundation
import Logging
import Postgres

/// Opens an export in steps: of each step's runs it writes down what the database does not know yet, in a transaction,
/// and puts what is to be asked for into the work list. Of a run that is settled nothing is written.
///
/// A step that is cut off is as if it had not begun, and what earlier ones wrote stays. The first goes over the export's
/// own connection. The others have one of their own, so that answers are committed meanwhile.
actor ExportOpening {
    /// Runs of a step. So many new ones take a fifth of a second.
    static let stepSize = 10_000

    /// What the steps have found so far.
    struct Found: Sendable, Equatable {
        var settled: [Outcome: Int] = [:]
        var unsettledCount = 0
        var endedChains: [EndReason: Int] = [:]

        var settledCount: Int { settled.values.reduce(0, +) }
        var items: Int { settledCount + unsettledCount }
    }

    private let ledger: Ledger
    private let list: WorkList
    private let retryFailedPages: Bool
    private let stepSize: Int
    private let laterSession: PostgresSession
    private var source: Source
    /// The step that is read from the manifests while the server works on the one before.
    private var nextStep: (position: Int, reading: Task<ManifestStep, any Error>)?
    private var isFirst = true
    private(set) var found = Found()
    /// The stored actions of the runs that the first step found unsettled.
    private(set) var firstActions: [UUID] = []

    private enum Source {
        case manifests(Manifests, next: Int)
        case unfinishedRuns(after: UnfinishedStore.Cursor?)
        case unfinishedChains(after: RunKey?)
        case nothing
    }

    /// - Parameters:
    ///   - manifests: nil for an export of whatever earlier ones left unsettled.
    ///   - database: for steps but the first.
    init(
        of ledger: Ledger, manifests: Manifests?, list: WorkList, retryFailedPages: Bool = false,
        stepSize: Int = stepSize,
        database: PostgresConfiguration, logger: Logger
    ) {
        self.ledger = ledger
        self.list = list
        self.retryFailedPages = retryFailedPages
        self.stepSize = stepSize
        laterSession = PostgresSession(database, observer: DatabaseLog(database: database, logger: logger))
        source = manifests.map { .manifests($0, next: 0) } ?? .unfinishedRuns(after: nil)
    }

    func close() async { await laterSession.close() }

    /// The runs of the manifests that no step has opened; nil if there are none.
    var unopened: NotReached.Unopened? {
        if case .manifests(let manifests, let next) = source {
            .init(manifests: manifests, position: next)
        } else {
            nil
        }
    }

    /// Whether every run has been opened.
    var isComplete: Bool { if case .nothing = source { true } else { false } }

    /// - Parameter now: the database's present, by which runs are settled, and past their time.
    /// - Throws: `PostgresError`, `SpoolError`.
    func openStep(at now: Date) async throws -> OpenedStep {
        let session = isFirst ? ledger.session : laterSession
        var items: OpenedItems
        var filled: Set<WorkQueue> = []
        switch source {
        case .manifests(let manifests, let position):
            let step = try await step(of: manifests, from: position)
            items = try await open(step, on: session, at: now)
            if try await addStoredPages(of: step, on: session) { filled.insert(.storedPages) }
            source = step.next.map { .manifests(manifests, next: $0) } ?? .nothing
        case .unfinishedRuns(let cursor):
            let step = try await unfinishedRuns(after: cursor, on: session, at: now)
            items = step.items
            source = step.last.map { .unfinishedRuns(after: $0) } ?? .unfinishedChains(after: nil)
        case .unfinishedChains(let last):
            let step = try await unfinishedChains(after: last, on: session, at: now)
            items = step.items
            source = step.last.map { .unfinishedChains(after: $0) } ?? .nothing
        case .nothing: items = OpenedItems()
        }
        if isFirst { firstActions = items.storedActions }
        isFirst = false
        return try await keep(items, filled: filled)
    }

    /// - Parameter filled: queues that have got items already.
    private func keep(_ items: OpenedItems, filled: Set<WorkQueue>) async throws -> OpenedStep {
        found.settled.merge(items.settled, uniquingKeysWith: +)
        found.endedChains.merge(items.endedChains, uniquingKeysWith: +)
        found.unsettledCount += items.unsettledCount
        for (queue, entries) in items.entries { try await list.add(entries, to: queue) }
        try await list.add(chainRoots: items.chainRoots)
        let isLast = if case .nothing = source { true } else { false }
        if isLast { await close() }
        return OpenedStep(filled: filled.union(items.entries.keys), isLast: isLast)
    }

    // MARK: Manifests

    /// The step that begins there; the next one is read meanwhile.
    private func step(of manifests: Manifests, from position: Int) async throws -> ManifestStep {
        func reading(from position: Int) -> Task<ManifestStep, any Error> {
            Task.detached { [stepSize] in try ManifestStep(manifests, from: position, limit: stepSize) }
        }
        let current =
            if let nextStep, nextStep.position == position { nextStep.reading } else { reading(from: position) }
        let step = try await current.value
        nextStep = step.next.map { ($0, reading(from: $0)) }
        return step
    }

    private func open(
        _ step: ManifestStep, on session: PostgresSession, at now: Date
    ) async throws -> OpenedItems {
        let (ledger, retries) = (ledger, retryFailedPages)
        return try await session.transaction { transaction in
            try OpeningStore.preferLookUps(in: transaction)
            let known = try Self.open(step.runs, of: ledger, at: now, in: transaction)
            var items = OpenedItems()
            items.add(settled: known.settled)
            var unsettled: Set<RunKey> = []
            for (index, item) in known.unsettled {
                var item = item
                if let root = step.roots[index] {
                    item.followsPages = true
                    item.manifestPosition = root.position
                    unsettled.insert(item.key)
                }
                items.add(item, checkedAt: known.checkedAt[item.key], at: now)
            }
            let roots = step.sortedRoots
            let chains = try Self.open(
                roots.map(\.run), settledBut: unsettled, retries: retries, of: ledger, in: transaction)
            for root in roots {
                guard let chain = chains[root.run.key] else { continue }
                items.add(
                    chain, isRootSettled: !unsettled.contains(root.run.key), manifestPosition: root.position)
            }
            return items
        } wasCommitted: { _ in
            // Done again, it writes nothing that is written already.
            false
        }
    }

    private static func open(
        _ runs: OpeningStore.NamedRuns, of ledger: Ledger, at now: Date, in transaction: borrowing PostgresTransaction
    ) throws -> OpeningStore.Known {
        func read() throws -> OpeningStore.Known {
            try OpeningStore.known(runs, refetchSince: ledger.refetchSince, at: now, in: transaction)
        }
        var known = try read()
        if !known.misdated.isEmpty {
            // Only what changes is locked: the runs of a known manifest may be in another export's batch.
            try OpeningStore.setDates(runs.part(known.misdated), exportID: ledger.exportID, in: transaction)
            known = try read()
        }
        try OpeningStore.insert(runs.part(known.new), exportID: ledger.exportID, at: now, in: transaction)
        return known
    }

    private static func open(
        _ roots: [ManifestRun], settledBut unsettled: Set<RunKey>, retries: Bool, of ledger: Ledger,
        in transaction: borrowing PostgresTransaction
    ) throws -> [RunKey: ChainOpening.State] {
        let keys = roots.map(\.key)
        try ChainOpening.insert(
            roots.map { ChainOpening.Root(key: $0.key, pages: $0.pages) }, exportID: ledger.exportID, in: transaction)
        try ChainOpening.takeUp(
            keys.filter { !unsettled.contains($0) }, exportID: ledger.exportID, in: transaction)
        if retries { try ChainOpening.reopenFailed(keys, exportID: ledger.exportID, in: transaction) }
        return try ChainOpening.states(of: keys, in: transaction)
    }

    /// The pages that `--refetch` fetches again. A step's roots may have more of them than memory should hold.
    ///
    /// - Returns: whether there are any.
    private func addStoredPages(
        of step: ManifestStep, on session: PostgresSession
    ) async throws -> Bool {
        let roots = step.sortedRoots.map(\.run.key)
        guard let since = ledger.refetchSince, !roots.isEmpty else { return false }
        let limit = stepSize
        var last: RunKey?
        while true {
            let pages = try await session.transaction { [last] transaction in
                try ChainOpening.storedPages(
                    of: roots, fetchedBefore: since, after: last, limit: limit, in: transaction)
            } wasCommitted: { _ in
                true
            }
            try await list.add(pages.map { WorkEntry(rank: $0.expiresAt, item: $0) }, to: .storedPages)
            guard pages.count == limit else { return last != nil || !pages.isEmpty }
            last = pages.last?.key
        }
    }

    // MARK: Whatever is unsettled

    private func unfinishedRuns(
        after cursor: UnfinishedStore.Cursor?, on session: PostgresSession, at now: Date
    ) async throws -> (items: OpenedItems, last: UnfinishedStore.Cursor?) {
        let (account, limit) = (ledger.account, stepSize)
        let runs = try await session.transaction { transaction in
            try UnfinishedStore.runs(of: account, after: cursor, limit: limit, at: now, in: transaction)
        } wasCommitted: { _ in
            true
        }
        var items = OpenedItems()
        for run in runs {
            items.add(run.item, checkedAt: run.checkedAt, at: now)
            if let chain = run.chain { items.add(chain, isRootSettled: false, manifestPosition: nil) }
        }
        return (items, runs.count == limit ? runs.last.map { UnfinishedStore.Cursor($0.item) } : nil)
    }

    private func unfinishedChains(
        after last: RunKey?, on session: PostgresSession, at now: Date
    ) async throws -> (items: OpenedItems, last: RunKey?) {
        let (ledger, limit) = (ledger, stepSize)
        let chains = try await session.transaction { transaction in
            let roots = try UnfinishedStore.chainRoots(
                of: ledger.account, after: last, limit: limit, at: now, in: transaction)
            try ChainOpening.takeUp(roots.map(\.key), exportID: ledger.exportID, in: transaction)
            let states = try ChainOpening.states(of: roots.map(\.key), in: transaction)
            return roots.map { (outcome: $0.outcome, key: $0.key, state: states[$0.key]) }
        } wasCommitted: { _ in
            false
        }
        var items = OpenedItems()
        for chain in chains {
            items.add(settled: [chain.outcome: 1])
            if let state = chain.state { items.add(state, isRootSettled: true, manifestPosition: nil) }
        }
        return (items, chains.count == limit ? chains.last?.key : nil)
    }
}
