import Foundation

@testable import ExportCore
@testable import Exporter

/// What is durable of one chain: `page_chains`, `page_intents` and `runs`, and who holds the lock on its intents.
/// Each method is a transaction.
struct ModelDatabase {
    /// Of the unique key, what differs within a chain.
    struct IntentKey: Hashable {
        var cursor: String
        var attempt: Int
    }

    struct Intent {
        var id: UUID
        var pageNumber: Int
        var exportID: Int
        var askedAt: Date
        var runID: UUID?
    }

    private struct Run {
        var pageNumber: Int
        var outcome = Outcome.queued
        var rows: [Int] = []
        var cursor: String?
        var isSeenAlive = false
        /// The order of `first_seen_at`.
        var place: Int
    }

    static let firstPage = "0"

    private var row: Chain
    private(set) var intents: [IntentKey: Intent] = [:]
    private var runs: [UUID: Run] = [:]
    /// The exports that hold the lock on their intents.
    var locks: Set<Int> = []

    init(root: RunKey, maxPages: Int, inputsHash: [UInt8]) {
        row = Chain(root: root)
        row.maxPages = maxPages
        row.inputsHash = inputsHash
        runs[root.runID] = Run(pageNumber: 0, place: 0)
    }

    var chain: Chain {
        var chain = row
        guard let cursor = row.cursor else { return chain }
        chain.isCursorUsed =
            cursor == Self.firstPage
            || intents.contains { $0.key.cursor == cursor && $0.value.pageNumber < row.pages }
        if let intent = intents[IntentKey(cursor: cursor, attempt: row.failedAttempts + 1)],
            intent.pageNumber == row.pages
        {
            chain.attempt = Chain.Attempt(
                intentID: intent.id, runID: intent.runID, askedAt: intent.askedAt,
                seenAlive: intent.runID.flatMap { runs[$0]?.isSeenAlive } ?? false,
                isInFlight: intent.runID == nil && locks.contains(intent.exportID))
        }
        return chain
    }

    /// Rows of all pages in chain order: of a page that was asked for again, those of the newest result.
    var rows: [Int] {
        let newest = Dictionary(grouping: runs.values.filter { $0.outcome == .success }, by: \.pageNumber)
            .compactMapValues { runs in runs.max { $0.place < $1.place } }
        return newest.sorted { $0.key < $1.key }.flatMap(\.value.rows)
    }

    func knows(_ runID: UUID) -> Bool { runs[runID] != nil }

    func isFinished(_ runID: UUID) -> Bool { runs[runID]?.outcome.isFinal ?? false }

    // MARK: Intents

    enum Written: Equatable {
        case written
        case ahead(Chain)
        /// The unique key forbids it.
        case violation
    }

    mutating func write(_ submission: PageFollower.Submission, exportID: Int, at now: Date) -> Written {
        let chain = chain
        guard
            chain.end == nil, chain.attempt == nil, chain.pages == submission.pageNumber,
            chain.cursor == submission.cursor, chain.failedAttempts + 1 == submission.attempt,
            chain.inputsHash == submission.inputsHash
        else { return .ahead(chain) }
        let key = IntentKey(cursor: submission.cursor, attempt: submission.attempt)
        guard intents[key] == nil else { return .violation }
        intents[key] = Intent(
            id: submission.intentID, pageNumber: submission.pageNumber, exportID: exportID, askedAt: now)
        return .written
    }

    mutating func withdraw(_ intentID: UUID) {
        guard let key = key(of: intentID), intents[key]?.runID == nil else { return }
        intents[key] = nil
        if row.end?.reason == .submitUnknown { row.end = nil }
    }

    /// - Returns: nil if the run is known already.
    mutating func record(_ runID: UUID, intentID: UUID, at now: Date) -> Chain? {
        guard runs[runID] == nil, let key = key(of: intentID), let intent = intents[key] else { return nil }
        intents[key]?.runID = runID
        intents[key]?.askedAt = now
        runs[runID] = Run(pageNumber: intent.pageNumber, place: runs.count)
        if row.end?.reason == .submitUnknown { row.end = nil }
        return chain
    }

    private func key(of intentID: UUID) -> IntentKey? { intents.first { $0.value.id == intentID }?.key }

    // MARK: Pages

    mutating func store(
        _ runID: UUID, _ outcome: Outcome, rows: [Int] = [], cursor: String? = nil, throttledFor: Duration? = nil,
        at now: Date
    ) -> Chain {
        guard var run = runs[runID] else { return chain }
        // What was fetched is not lost to a later answer.
        if run.outcome != .success, run.outcome != .error {
            run.outcome = outcome
            run.rows = rows
            run.cursor = cursor
            run.isSeenAlive = true
            runs[runID] = run
        }
        var chain = chain
        let isUsed = run.cursor.map { cursor in
            cursor == Self.firstPage || intents.contains { $0.key.cursor == cursor }
        }
        chain.store(
            PageAnswer(
                number: run.pageNumber, isCurrent: run.pageNumber == 0 || chain.attempt?.runID == runID,
                outcome: run.outcome, cursor: run.cursor, isCursorUsed: isUsed ?? false, resultCount: run.rows.count,
                throttledFor: throttledFor, at: now))
        chain.attempt = nil
        row = chain
        return self.chain
    }

    // MARK: Ends

    /// Writes the end down, unless the chain has moved on since the export looked at it.
    mutating func end(_ end: ChainEnd, failedAttempts: Int, intentID: UUID?, seen: Chain) {
        let isInDoubt = intentID.flatMap(key).map { intents[$0]?.runID == nil } ?? false
        guard row.end == nil, row.pages == seen.pages, row.failedAttempts <= failedAttempts,
            intentID == nil || isInDoubt
        else { return }
        row.end = end
        row.failedAttempts = failedAttempts
    }

    /// What `--retry-failed-pages`, or a manifest that allows more, does to an end.
    mutating func reopen() { row.end = nil }

    /// What `resolve --not-sent` does.
    ///
    /// - Returns: false if no page is in doubt.
    mutating func resolveNotSent() -> Bool {
        guard let attempt = chain.attempt, attempt.runID == nil else { return false }
        withdraw(attempt.intentID)
        row.end = nil
        return true
    }
}
