import Foundation

@testable import ExportCore
@testable import Exporter

/// Chains of pages in the tables: what `ChainRows`, `ChainStatements`, `LedgerChains` and `IntentLog` do.
extension WorldDatabase {
    /// The chain as it is read: with what is under way for its next page.
    func chain(_ root: RunKey) -> Chain? {
        guard var chain = chains[root] else { return nil }
        chain.lookedUpType = actionTypes[root.storedActionID] ?? nil
        guard let cursor = chain.cursor else { return chain }
        chain.isCursorUsed = isUsed(cursor, of: root) { $0.pageNumber < chain.pages }
        let key = ModelDatabase.IntentKey(cursor: cursor, attempt: chain.failedAttempts + 1)
        if let intent = intents[root]?[key], intent.pageNumber == chain.pages {
            let run = intent.runID.flatMap { runs[RunKey(storedActionID: root.storedActionID, runID: $0)] }
            chain.attempt = Chain.Attempt(
                intentID: intent.id, runID: intent.runID, askedAt: intent.askedAt,
                seenAlive: run?.isSeenAlive ?? false,
                isInFlight: intent.runID == nil && alive.contains(intent.exportID))
        }
        return chain
    }

    private func isUsed(_ cursor: String, of root: RunKey, _ isMeant: (Intent) -> Bool) -> Bool {
        cursor == ModelDatabase.firstPage
            || (intents[root] ?? [:]).contains { $0.key.cursor == cursor && isMeant($0.value) }
    }

    /// Rows of all pages in chain order: of a page that was asked for again, those of the newest result.
    func rows(_ root: RunKey) -> [Int] {
        let pages = runs.filter { key, run in (key == root || run.page.root == root) && run.outcome == .success }
        let newest = Dictionary(grouping: pages.values, by: \.page.number)
            .compactMapValues { runs in runs.max { $0.page.place < $1.page.place } }
        return newest.sorted { $0.key < $1.key }.flatMap(\.value.rows)
    }

    // MARK: Pages

    /// - Returns: the chain of each run that is of one.
    mutating func advanceChains(_ batch: [FetchedRun]) -> [RunKey: Chain] {
        var states: [RunKey: Chain] = [:]
        let pages = batch.compactMap { loaded -> (FetchedRun, RunKey, Run)? in
            guard let root = loaded.item.chainRoot, let run = runs[loaded.item.key] else { return nil }
            return (loaded, root, run)
        }
        for (loaded, root, run) in pages.sorted(by: { $0.2.page.number < $1.2.page.number }) {
            guard let known = chain(root) else { continue }
            let number = run.page.number
            states[root, default: known].store(
                PageAnswer(
                    number: number, isCurrent: number == 0 || known.attempt?.runID == loaded.item.key.runID,
                    outcome: run.outcome, cursor: run.page.nextPage, cursorFault: loaded.result?.cursorFault,
                    isCursorUsed: run.page.nextPage.map { isUsed($0, of: root) { _ in true } } ?? false,
                    resultCount: run.rows.count, throttledFor: loaded.throttledFor, at: loaded.answeredAt))
        }
        for (root, chain) in states { keep(chain, of: root) }
        return pages.reduce(into: [:]) { $0[$1.0.item.key] = states[$1.1] }
    }

    private mutating func keep(_ chain: Chain, of root: RunKey) {
        var row = chain
        row.attempt = nil
        row.isCursorUsed = false
        chains[root] = row
    }

    // MARK: Intents

    /// - Returns: nil if the intent is written, else the chain as it is.
    mutating func write(_ submission: PageFollower.Submission, of id: Int, at now: Date) -> Chain? {
        guard let chain = chain(submission.root) else { return Chain(root: submission.root) }
        guard
            chain.end == nil, chain.attempt == nil, chain.pages == submission.pageNumber,
            chain.cursor == submission.cursor, chain.failedAttempts + 1 == submission.attempt,
            chain.inputsHash == submission.inputsHash
        else { return chain }
        let key = ModelDatabase.IntentKey(cursor: submission.cursor, attempt: submission.attempt)
        // The unique key forbids what the check before has let through.
        guard intents[submission.root]?[key] == nil else { return chain }
        intents[submission.root, default: [:]][key] = Intent(
            id: submission.intentID, pageNumber: submission.pageNumber, exportID: id, askedAt: now)
        return nil
    }

    mutating func withdraw(_ intentID: UUID, of root: RunKey) {
        clearDoubt(of: root)
        if let key = key(of: intentID, of: root), intents[root]?[key]?.runID == nil { intents[root]?[key] = nil }
    }

    /// - Returns: nil if the run is one of a chain already.
    mutating func record(_ runID: UUID, of root: RunKey, intentID: UUID, at now: Date) -> Chain? {
        guard let key = key(of: intentID, of: root), let intent = intents[root]?[key] else { return nil }
        let run = RunKey(storedActionID: root.storedActionID, runID: runID)
        if intent.runID != runID {
            guard runs[run] == nil else { return nil }
            intents[root]?[key]?.runID = runID
            intents[root]?[key]?.askedAt = now
            runs[run] = Run(
                expiresAt: now + retention.seconds,
                page: Page(root: root, number: intent.pageNumber, place: runs.count))
        }
        clearDoubt(of: root)
        return chain(root)
    }

    func intent(_ id: UUID, of root: RunKey) -> Intent? { key(of: id, of: root).flatMap { intents[root]?[$0] } }

    private func key(of intentID: UUID, of root: RunKey) -> ModelDatabase.IntentKey? {
        intents[root]?.first { $0.value.id == intentID }?.key
    }

    private mutating func clearDoubt(of root: RunKey) {
        if chains[root]?.end?.reason == .submitUnknown { chains[root]?.end = nil }
    }

    // MARK: Ends

    /// Writes the end down, unless the chain has moved on since the export looked at it.
    mutating func end(_ chain: Chain, _ end: ChainEnd, failedAttempts: Int, intentID: UUID?) {
        guard let row = chains[chain.root] else { return }
        let isInDoubt = intentID.flatMap { intent($0, of: chain.root) }.map { $0.runID == nil } ?? false
        guard row.pages == chain.pages, row.end == nil, row.failedAttempts <= failedAttempts,
            intentID == nil || isInDoubt
        else { return }
        chains[chain.root]?.end = end
        chains[chain.root]?.failedAttempts = failedAttempts
    }

    mutating func leave(_ root: RunKey, _ left: ChainLeft, of id: Int) {
        exports[id]?.items[root]?.chainLeft = left
    }

    /// What `--retry-failed-pages` does to an end.
    mutating func reopen(_ root: RunKey) {
        guard let chain = chains[root], chain.pages > 0, let end = chain.end?.reason else { return }
        let isFailed = chain.failedAttempts > 0 && (end == .pageError || end == .pageExpired)
        if isFailed || end == .refused { chains[root]?.end = nil }
    }

    /// What a person does about a page in doubt, who looks up in the account's history whether its run exists.
    ///
    /// - Parameter started: the runs that exist and that the tables do not have.
    /// - Returns: whether there was such a page.
    mutating func resolve(_ root: RunKey, started: [UUID], at now: Date) -> Bool {
        guard chains[root]?.end?.reason == .submitUnknown, let attempt = chain(root)?.attempt, attempt.runID == nil
        else { return false }
        if let runID = started.first {
            return record(runID, of: root, intentID: attempt.intentID, at: now) != nil
        }
        withdraw(attempt.intentID, of: root)
        return true
    }

    func knows(_ runID: UUID, of root: RunKey) -> Bool {
        runs[RunKey(storedActionID: root.storedActionID, runID: runID)] != nil
    }
}

extension FetchedRun {
    /// As the real batch reads it from the answer: how long the partner wants to be left alone, if it throttled the run.
    fileprivate var throttledFor: Duration? {
        result?.errors.first { $0.code == "throttled" }.map { .seconds($0.delay ?? 60) }
    }
}
