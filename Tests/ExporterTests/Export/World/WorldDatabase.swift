import Foundation

@testable import ExportCore
@testable import Exporter

/// The tables that exports share: runs, exports with their items, and (in its extension) chains with their intents.
/// Each method is a transaction, written after the statement of the real database that it stands for.
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
        var isReached = false
        var pollAt: Date?
        var polls = 0
        var chainLeft: ChainLeft?
    }

    struct Export {
        var manifest: Int
        var beganAt: Date
        var concurrency: Int
        /// With `--refetch`: results that were fetched before are fetched again.
        var refetchSince: Date?
        var isRunning = true
        var items: [RunKey: Item] = [:]
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

    /// Opens an export of a manifest, and closes those of it that died.
    mutating func begin(_ id: Int, manifest: Int, options: ExportOptions, at now: Date) {
        for (id, dead) in exports where dead.manifest == manifest && dead.isRunning {
            markSuspects(of: dead)
            exports[id]?.isRunning = false
        }
        var export = Export(manifest: manifest, beganAt: now, concurrency: options.concurrency)
        let since = options.refetch ? startOfUnfinishedRefetch(of: manifest) : nil
        if options.refetch { export.refetchSince = since ?? now }
        for key in manifests[manifest] {
            let isDue = options.refetch && (runs[key]?.fetchedAt ?? .distantPast) < since ?? .distantFuture
            export.items[key] = Item(isReached: !isDue && runs[key]?.isSettled(at: now) ?? false)
            if options.retryFailedPages { reopen(key) }
        }
        exports[id] = export
        alive.insert(id)
    }

    /// See `ExportStore.startOfUnfinishedRefetch`.
    private func startOfUnfinishedRefetch(of manifest: Int) -> Date? {
        exports.filter { $1.manifest == manifest }.sorted { $0.key > $1.key }.map(\.value)
            .prefix { $0.refetchSince != nil && $0.items.values.contains { !$0.isReached } }.last?.beganAt
    }

    private mutating func markSuspects(of dead: Export) {
        let candidates = dead.items.filter { key, item in
            guard !item.isReached, let run = runs[key], !run.isSuspect else { return false }
            return run.expiresAt > dead.beganAt && [.queued, .failed, .waiting, .pending].contains(run.outcome)
        }
        for key in candidates.keys.sorted(by: { cursor($0).precedes($1, runs[$1]) }).prefix(dead.concurrency) {
            runs[key]?.outcome = .failed
            runs[key]?.isSuspect = true
            runs[key]?.wasSuspect = true
        }
    }

    private func cursor(_ key: RunKey) -> WorkCursor {
        WorkCursor(expiresAt: runs[key]?.expiresAt ?? .distantPast, key: key)
    }

    /// The export ends in good order.
    mutating func finish(_ id: Int, isComplete: Bool) {
        if !isComplete {
            for (key, item) in exports[id]?.items ?? [:] where !item.isReached { runs[key]?.isSuspect = false }
        }
        exports[id]?.isRunning = false
        alive.remove(id)
    }

    /// Stored actions that have results.
    func witnesses() -> [UUID] {
        let actions = Set(runs.lazy.filter { $1.outcome.isStored }.map { $0.key.storedActionID })
        return Array(actions.sorted { $0.uuidString < $1.uuidString }.prefix(AccountWatch.witnesses))
    }

    // MARK: The work list

    func read(_ queue: WorkQueue, of id: Int, after cursor: WorkCursor?, limit: Int, at now: Date) -> [RunItem] {
        let items = exports[id]?.items ?? [:]
        let floor = queue == .first ? now : .distantPast
        let keys = items.keys.filter { key in
            guard let item = items[key], let run = runs[key], !item.isReached else { return false }
            if queue == .suspects { return run.isSuspect }
            return !run.isSuspect && run.expiresAt > floor && (cursor?.precedes(key, run) ?? true)
        }
        let ordered = keys.sorted { a, b in
            if queue == .suspects, let a = runs[a]?.checkedAt, let b = runs[b]?.checkedAt, a != b { return a < b }
            return self.cursor(a).precedes(b, runs[b])
        }
        return ordered.prefix(limit).compactMap { key in
            var item = item(key, of: id)
            item?.isSuspect = queue == .suspects
            return item
        }
    }

    /// Pages of the export's chains whose results are stored, for `--refetch`.
    func pagesToRefetch(of id: Int, after cursor: WorkCursor?, limit: Int) -> [RunItem] {
        guard let export = exports[id], let since = export.refetchSince else { return [] }
        let keys = runs.keys.filter { key in
            guard let run = runs[key], let root = run.page.root, export.items[root] != nil else { return false }
            return run.outcome.isStored && (run.fetchedAt ?? .distantPast) < since
                && (cursor?.precedes(key, run) ?? true)
        }
        return keys.sorted { self.cursor($0).precedes($1, runs[$1]) }.prefix(limit).compactMap { key in
            guard let run = runs[key], let root = run.page.root else { return nil }
            var item = RunItem(key: key, expiresAt: run.expiresAt, seenAlive: run.isSeenAlive)
            item.page = PageOfChain(
                root: root, submittedAt: run.expiresAt - retention.seconds, isRefetch: true)
            return item
        }
    }

    func polls(of id: Int, limit: Int) -> [PollDue] {
        let due = (exports[id]?.items ?? [:]).compactMap { key, item -> PollDue? in
            guard let pollAt = item.pollAt, let item = self.item(key, of: id) else { return nil }
            return (item, pollAt)
        }
        return Array(due.sorted { ($0.at, $0.item.key.runID) < ($1.at, $1.item.key.runID) }.prefix(limit))
    }

    private func item(_ key: RunKey, of id: Int) -> RunItem? {
        guard let run = runs[key], let item = exports[id]?.items[key] else { return nil }
        var result = RunItem(
            key: key, executedAt: run.executedAt, expiresAt: run.expiresAt, seenAlive: run.isSeenAlive,
            polls: item.polls)
        result.followsPages = chains[key] != nil
        result.wasForbidden = run.outcome == .forbidden
        result.isStored = run.outcome.isStored
        if result.followsPages { result.manifestPosition = 0 }
        return result
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
                exports[id]?.items[item.key]?.pollAt = writes ? run.pollAt : nil
                exports[id]?.items[item.key]?.polls = item.polls
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

extension WorkCursor {
    /// Whether the run comes behind it in the order of the work list.
    func precedes(_ key: RunKey, _ run: WorldDatabase.Run?) -> Bool {
        let expiresAt = run?.expiresAt ?? .distantPast
        return (self.expiresAt, self.key.storedActionID, self.key.runID) < (expiresAt, key.storedActionID, key.runID)
    }
}
