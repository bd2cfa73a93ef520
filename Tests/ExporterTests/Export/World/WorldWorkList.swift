import Foundation

@testable import ExportCore
@testable import Exporter

/// The work lists of exports: what `ExportOpening` and `WorkList` do.
extension WorldDatabase {
    /// So many runs of a manifest are opened at a time.
    static let stepSize = 2

    mutating func openStep(of id: Int, options: ExportOptions, at now: Date) -> OpenedStep {
        guard let export = exports[id] else { return OpenedStep(filled: [], isLast: true) }
        var filled: Set<WorkQueue> = []
        for key in export.unopened.prefix(Self.stepSize) {
            guard let run = runs[key] else { continue }
            let isDue = export.refetchSince.map { run.fetchedAt ?? .distantPast < $0 } ?? false
            var item = Item(isReached: !isDue && run.isSettled(at: now))
            if options.retryFailedPages { reopen(key) }
            if !item.isReached { filled.insert(run.isSuspect ? .suspects : run.expiresAt > now ? .first : .late) }
            if let chain = chains[key], chain.pages > 0, chain.end == nil {
                item.isChainTaken = false
                filled.insert(.chains)
            }
            exports[id]?.items[key] = item
            if !storedPages(of: key, in: id).isEmpty { filled.insert(.storedPages) }
        }
        exports[id]?.unopened.removeFirst(min(Self.stepSize, export.unopened.count))
        return OpenedStep(filled: filled, isLast: exports[id]?.unopened.isEmpty ?? true)
    }

    // MARK: Runs

    mutating func take(_ queue: WorkQueue, of id: Int, limit: Int, at now: Date) -> [RunItem] {
        let items = exports[id]?.items ?? [:]
        let keys = items.keys.filter { key in
            guard let item = items[key], let run = runs[key], !item.isReached, !item.isTaken else { return false }
            return switch queue {
            case .suspects: run.isSuspect
            case .first: !run.isSuspect && run.expiresAt > now
            default: !run.isSuspect
            }
        }
        let ordered = keys.sorted { a, b in
            if queue == .suspects, let a = runs[a]?.checkedAt, let b = runs[b]?.checkedAt, a != b { return a < b }
            return isBefore(a, b)
        }
        let taken = ordered.prefix(limit).compactMap { key in
            var item = item(key)
            item?.isSuspect = queue == .suspects
            return item
        }
        for item in taken { exports[id]?.items[item.key]?.isTaken = true }
        let inHand = (exports[id]?.inHand ?? []).filter { exports[id]?.items[$0]?.isReached == false }
        exports[id]?.inHand = inHand + taken.map(\.key)
        return taken
    }

    private func isBefore(_ a: RunKey, _ b: RunKey) -> Bool {
        let dates = [a, b].map { runs[$0]?.expiresAt ?? .distantPast }
        return (dates[0], a.storedActionID, a.runID) < (dates[1], b.storedActionID, b.runID)
    }

    private func item(_ key: RunKey) -> RunItem? {
        guard let run = runs[key] else { return nil }
        var result = RunItem(
            key: key, executedAt: run.executedAt, expiresAt: run.expiresAt, seenAlive: run.isSeenAlive)
        result.followsPages = chains[key] != nil
        result.wasForbidden = run.outcome == .forbidden
        result.isStored = run.outcome.isStored
        if result.followsPages { result.manifestPosition = 0 }
        return result
    }

    mutating func takePolls(of id: Int, limit: Int) -> [PollDue] {
        let polls = (exports[id]?.items ?? [:]).values.compactMap(\.shelvedPoll)
            .sorted { ($0.at, $0.item.key.runID) < ($1.at, $1.item.key.runID) }.prefix(limit)
        for poll in polls { exports[id]?.items[poll.item.key]?.shelvedPoll = nil }
        return Array(polls)
    }

    mutating func shelve(_ shelved: ExportMachine.Shelved, of id: Int) {
        switch shelved {
        case .poll(let poll): exports[id]?.items[poll.item.key]?.shelvedPoll = poll
        case .chain(let open): exports[id]?.items[open.chain.root]?.isChainTaken = false
        }
    }

    // MARK: Chains

    /// - Returns: the chains that go on, and the number of those taken.
    mutating func takeChains(of id: Int, limit: Int) -> (open: [OpenChain], taken: Int) {
        let waiting = (exports[id]?.items ?? [:]).filter { !$0.value.isChainTaken }.keys
        let taken = waiting.sorted { ($0.storedActionID, $0.runID) < ($1.storedActionID, $1.runID) }.prefix(limit)
        for root in taken { exports[id]?.items[root]?.isChainTaken = true }
        let open = taken.compactMap { root -> OpenChain? in
            guard exports[id]?.items[root]?.chainLeft == nil, let chain = chain(root), chain.pages > 0, chain.end == nil
            else { return nil }
            return OpenChain(chain: chain, manifestPosition: 0)
        }
        return (open, taken.count)
    }

    /// Pages of the export's chains whose results are stored, for `--refetch`.
    mutating func takeStoredPages(of id: Int, limit: Int) -> [RunItem] {
        guard let export = exports[id] else { return [] }
        let pages = export.items.keys.flatMap { storedPages(of: $0, in: id) }.sorted(by: isBefore).prefix(limit)
        exports[id]?.takenPages.formUnion(pages)
        return pages.compactMap { key in
            guard let run = runs[key], let root = run.page.root else { return nil }
            var item = RunItem(key: key, expiresAt: run.expiresAt, seenAlive: run.isSeenAlive)
            item.page = PageOfChain(
                root: root, submittedAt: run.expiresAt - retention.seconds, isRefetch: true)
            return item
        }
    }

    private func storedPages(of root: RunKey, in id: Int) -> [RunKey] {
        guard let export = exports[id], let since = export.refetchSince else { return [] }
        return runs.filter { key, run in
            run.page.root == root && run.outcome.isStored && (run.fetchedAt ?? .distantPast) < since
                && !export.takenPages.contains(key)
        }.map(\.key)
    }
}
