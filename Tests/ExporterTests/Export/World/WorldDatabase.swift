import Foundation

@testable import ExportCore
@testable import Exporter

/// The tables that exports share: runs, exports, and (in extensions) chains with their intents, and the work lists that
/// exports keep to themselves. Each method is a transaction, written after the statement of the real database that it
/// stands for.
struct WorldDatabase {
    struct Run {
        var executedAt: Date?
        var expiresAt: Date
        var outcome = Outcome.queued
        var evidence: Evidence?
        var rows: [Int] = []
        /// The exports that stored a result, in the order in which they did.
        var storedBy: [Int] = []
        /// When the stored result was fetched.
        var fetchedAt: Date?
        var isSeenAlive = false
        var isSuspect = false
        /// Some export has found it so.
        var wasSuspect = false
        var checkedAt = Date.distantPast
        var page = Page()

        func isSettled(at now: Date) -> Bool {
            switch outcome {
            case .success, .error: true
            case .expired: evidence == .pastRetention || expiresAt <= now
            case .notFound, .forbidden, .rejected: expiresAt <= now
            case .waiting, .pending, .failed, .queued: false
            }
        }
    }

    /// A run's place in its chain.
    struct Page {
        /// nil: the run is not behind a root.
        var root: RunKey?
        var number = 0
        var nextPage: String?
        /// The order of `first_seen_at`.
        var place = 0
    }

    struct Item {
        /// An answer is stored, or the run was settled before.
        var isReached = false
        /// It is in memory, or done with.
        var isTaken = false
        /// A poll that memory had no room for.
        var shelvedPoll: PollDue?
        var isChainTaken = true
        var chainLeft: ChainLeft?
    }

    struct Export {
        var manifest: Int
        var beganAt: Date
        var concurrency: Int
        /// With `--refetch`: results that were fetched before are fetched again.
        var refetchSince: Date?
        var isRunning = true
        /// Of its work list, as far as it has been opened.
        var items: [RunKey: Item] = [:]
        var unopened: ArraySlice<RunKey> = []
        /// The pages that `--refetch` has taken.
        var takenPages: Set<RunKey> = []
        /// What it has noted of the runs that it took from the work list.
        var inHand: [RunKey] = []
        /// Nothing of a refetch is left.
        var isRefetchDone = false
    }

    struct Intent {
        var id: UUID
        var pageNumber: Int
        var exportID: Int
        var askedAt: Date
        var runID: UUID?
    }

    struct Lost: Error {}

    var runs: [RunKey: Run] = [:]
    /// The rows of `page_chains`, without what is derived from others.
    var chains: [RunKey: Chain] = [:]
    /// By root.
    var intents: [RunKey: [ModelDatabase.IntentKey: Intent]] = [:]
    /// What look-ups have told of stored actions.
    var actionTypes: [UUID: String?] = [:]
    /// The runs of each manifest.
    var manifests: [[RunKey]] = []
    var exports: [Int: Export] = [:]
    /// The exports that hold the lock on their intents.
    var alive: Set<Int> = []

    var outcomes: [Outcome: Int] {
        runs.values.reduce(into: [:]) { if $1.page.root == nil { $0[$1.outcome, default: 0] += 1 } }
    }

    // MARK: Exports

    /// Begins an export of a manifest, and closes those of it that died.
    mutating func begin(_ id: Int, manifest: Int, options: ExportOptions, at now: Date) {
        for (id, dead) in exports where dead.manifest == manifest && dead.isRunning {
            markSuspects(of: dead)
            exports[id]?.isRunning = false
        }
        var export = Export(manifest: manifest, beganAt: now, concurrency: options.concurrency)
        if options.refetch { export.refetchSince = startOfUnfinishedRefetch(of: manifest) ?? now }
        export.unopened = manifests[manifest][...]
        exports[id] = export
        alive.insert(id)
    }

    /// See `ExportStore.startOfUnfinishedRefetch`.
    private func startOfUnfinishedRefetch(of manifest: Int) -> Date? {
        guard let newest = exports.filter({ $1.manifest == manifest }).max(by: { $0.key < $1.key })?.value,
            !newest.isRefetchDone
        else { return nil }
        return newest.refetchSince
    }

    private mutating func markSuspects(of dead: Export) {
        let candidates = dead.inHand.filter { key in
            guard dead.items[key]?.isReached == false, let run = runs[key], !run.isSuspect else { return false }
            return [.queued, .failed, .waiting, .pending].contains(run.outcome)
        }
        for key in candidates.prefix(dead.concurrency) {
            runs[key]?.outcome = .failed
            runs[key]?.isSuspect = true
            runs[key]?.wasSuspect = true
        }
    }

    /// The export ends in good order.
    mutating func finish(_ id: Int, isComplete: Bool, hasPagesToRefetch: Bool) {
        if !isComplete {
            for (key, item) in exports[id]?.items ?? [:] where !item.isReached { runs[key]?.isSuspect = false }
        }
        let hasQueued = exports[id].map { !$0.unopened.isEmpty || $0.items.values.contains { !$0.isReached } } ?? false
        exports[id]?.isRefetchDone = !hasQueued && !hasPagesToRefetch
        exports[id]?.isRunning = false
        alive.remove(id)
    }

    /// Stored actions that have results.
    func witnesses() -> [UUID] {
        let actions = Set(runs.lazy.filter { $1.outcome.isStored }.map { $0.key.storedActionID })
        return Array(actions.sorted { $0.uuidString < $1.uuidString }.prefix(AccountWatch.witnesses))
    }

    /// It is behind all other suspects from now on.
    mutating func willAskSuspect(_ key: RunKey, at now: Date) {
        if runs[key]?.isSuspect == true { runs[key]?.checkedAt = now }
    }

    // MARK: Answers

    mutating func commit(_ batch: [FetchedRun], of id: Int) -> [Commit] {
        let rules = batch.map { run in
            MergeRule(
                stored: runs[run.item.key]?.outcome ?? .queued, answer: run.verdict.outcome,
                refetch: exports[id]?.refetchSince != nil)
        }
        let stored = batch.map { runs[$0.item.key]?.outcome ?? .queued }
        for (run, rule) in zip(batch, rules) where rule == .replace || rule == .update { store(run, rule, by: id) }
        let chains = advanceChains(batch)
        return zip(zip(batch, rules), stored).map { pair, before in
            let (run, rule) = pair
            let writes = rule == .replace || rule == .update
            var item = run.item
            item.requests = 0
            let outcome = writes ? run.verdict.outcome : before
            if item.page == nil {
                exports[id]?.items[item.key]?.isReached = true
            }
            return Commit(
                item: item, outcome: outcome, rule: rule, results: rule == .replace ? run.resultCount : 0,
                errors: rule == .replace ? run.errorCount : 0, bundledErrors: 0, rejects: 0,
                pollAt: writes ? run.pollAt : nil, chain: chains[item.key],
                isNewPage: item.page != nil && rule == .replace && outcome == .success && !before.isStored)
        }
    }

    private mutating func store(_ loaded: FetchedRun, _ rule: MergeRule, by id: Int) {
        let key = loaded.item.key
        runs[key]?.outcome = loaded.verdict.outcome
        runs[key]?.evidence = loaded.verdict.evidence
        if loaded.verdict.seenAlive { runs[key]?.isSeenAlive = true }
        runs[key]?.isSuspect = false
        runs[key]?.checkedAt = loaded.answeredAt
        runs[key]?.page.nextPage = loaded.result?.nextPage
        guard rule == .replace else { return }
        runs[key]?.rows = loaded.result?.results.compactMap { $0["n"]?.int } ?? []
        runs[key]?.storedBy.append(id)
        runs[key]?.fetchedAt = loaded.answeredAt
    }
}
