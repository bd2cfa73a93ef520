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
    /// Runs that are looked at together, to pass over those that are settled.
    static let windowSize = 65_536

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
    /// Of the manifests' next runs, which ones are settled.
    private var window = SettledWindow()
    /// The window behind it, which is read while the database looks at this one.
    private var windowAhead: Task<NamedWindow, any Error>?
    private var isFirst = true
    private(set) var found = Found()
    /// The stored actions of the runs that the first step found unsettled.
    private(set) var firstActions: [UUID] = []

    /// A window whose runs have not been looked up yet.
    private struct NamedWindow: Sendable {
        var start: Int
        var window: SettledWindow
        var lookedUp: OpeningStore.LookUp
    }

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

    func close() async {
        windowAhead?.cancel()
        await laterSession.close()
    }

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
            var settled: [Outcome: Int] = [:]
            // Not before the first step: requests wait for it.
            if !isFirst, window.isEmpty {
                settled = try await lookAhead(manifests, from: position, on: session, at: now)
            }
            let step: (runs: [(run: ManifestRun, position: Int)], next: Int?) =
                if window.isAllSettled {
                    ([], window.end)
                } else {
                    try manifests.step(from: position, limit: window.isEmpty ? stepSize : min(stepSize, window.count))
                }
            let runs = window.pass(step.runs)
            items = try await open(runs, on: session, at: now)
            items.add(settled: settled)
            if try await addStoredPages(of: runs, on: session) { filled.insert(.storedPages) }
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

    /// Finds out which of the manifests' next runs are settled, and takes them out of the steps that follow: most calls
    /// of a manifest that grows are about runs that are.
    ///
    /// - Returns: how many they are, by their outcomes.
    private func lookAhead(
        _ manifests: Manifests, from position: Int, on session: PostgresSession, at now: Date
    ) async throws -> [Outcome: Int] {
        let named = try await namedWindow(manifests, from: position)
        windowAhead = named.window.end.map { end in Task { try Self.namedWindow(manifests, from: end) } }
        let since = ledger.refetchSince
        let known = try await session.transaction { transaction in
            let join = try OpeningStore.join(keys: named.lookedUp.runs.count, in: transaction)
            try OpeningStore.prefer(join, in: transaction)
            return try OpeningStore.known(named.lookedUp, refetchSince: since, at: now, in: transaction)
        } wasCommitted: { _ in
            true
        }
        var window = named.window
        window.keep(known.unsettled.map(\.index) + known.misdated)
        self.window = window
        var settled = known.settled
        for outcome in known.misdatedSettled { settled[outcome, default: 0] -= 1 }
        return settled
    }

    private func namedWindow(_ manifests: Manifests, from position: Int) async throws -> NamedWindow {
        if let ahead = windowAhead {
            windowAhead = nil
            let window = try await ahead.value
            if window.start == position { return window }
        }
        return try Self.namedWindow(manifests, from: position)
    }

    private static func namedWindow(_ manifests: Manifests, from position: Int) throws -> NamedWindow {
        var runs: [OpeningStore.Named] = []
        runs.reserveCapacity(windowSize)
        var window = SettledWindow()
        window.end = try manifests.forEachRun(from: position, limit: windowSize) { run, _ in
            // A root's chain is looked at with it.
            if !run.pages.followPages { runs.append(run.named) }
            window.append(isSettled: !run.pages.followPages)
        }
        return NamedWindow(start: position, window: window, lookedUp: OpeningStore.LookUp(runs))
    }

    private func open(
        _ runs: [(run: ManifestRun, position: Int)], on session: PostgresSession, at now: Date
    ) async throws -> OpenedItems {
        if runs.isEmpty { return OpenedItems() }
        let (ledger, retries) = (ledger, retryFailedPages)
        return try await session.transaction { transaction in
            try OpeningStore.prefer(.lookUps, in: transaction)
            let known = try Self.open(runs.map { $0.run.named }, of: ledger, at: now, in: transaction)
            var items = OpenedItems()
            items.add(settled: known.settled)
            var unsettled: Set<RunKey> = []
            for (index, item) in known.unsettled {
                var item = item
                item.followsPages = runs[index].run.pages.followPages
                item.manifestPosition = item.followsPages ? runs[index].position : nil
                items.add(item, checkedAt: known.checkedAt[item.key], at: now)
                if item.followsPages { unsettled.insert(item.key) }
            }
            let roots = runs.filter { $0.run.pages.followPages }
            let chains = try Self.open(
                roots.map(\.run), settledBut: unsettled, retries: retries, of: ledger, in: transaction)
            for (run, position) in roots {
                guard let chain = chains[run.key] else { continue }
                items.add(chain, isRootSettled: !unsettled.contains(run.key), manifestPosition: position)
            }
            return items
        } wasCommitted: { _ in
            // Done again, it writes nothing that is written already.
            false
        }
    }

    private static func open(
        _ runs: [OpeningStore.Named], of ledger: Ledger, at now: Date, in transaction: borrowing PostgresTransaction
    ) throws -> OpeningStore.Known {
        func read() throws -> OpeningStore.Known {
            try OpeningStore.known(
                OpeningStore.LookUp(runs), refetchSince: ledger.refetchSince, at: now, in: transaction)
        }
        var known = try read()
        if !known.misdated.isEmpty {
            // Only what changes is locked: the runs of a known manifest may be in another export's batch.
            try OpeningStore.setDates(
                known.misdated.map { runs[$0] }, exportID: ledger.exportID, in: transaction)
            known = try read()
        }
        try OpeningStore.insert(known.new.map { runs[$0] }, exportID: ledger.exportID, at: now, in: transaction)
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
        of runs: [(run: ManifestRun, position: Int)], on session: PostgresSession
    ) async throws -> Bool {
        let roots = runs.filter { $0.run.pages.followPages }.map(\.run.key)
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

extension ManifestRun {
    fileprivate var named: OpeningStore.Named { OpeningStore.Named(key: key, executedAt: executedAt) }
}
