import ActionsAPI
import Foundation
import Postgres

/// What became of a run in the database.
struct Commit: Sendable {
    var item: RunItem
    /// As stored now: not always what the answer said.
    var outcome: Outcome
    var rule: MergeRule
    var results: Int
    var errors: Int
    var pollAt: Date?
    /// Where its chain is now, if the run is of one.
    var chain: Chain?
    /// The run is the page by which its chain has grown.
    var isNewPage = false
}

/// Requests made so far, kept in the export's row with every batch.
struct RequestCount: Sendable {
    var total = 0
    var rateLimited = 0
}

/// Writes batches of answers, one at a time: a run's rows, its outcome and its place in the ledger in one transaction.
///
/// A batch locks its runs in key order, so that two exports that share runs neither double a row nor wait for each
/// other in a circle; COPY takes the rows straight into the tables, since what could conflict has been settled before.
actor Loader {
    private let session: PostgresSession
    private let exportID: Int
    private let refetch: Bool
    private var batches = 0

    init(session: PostgresSession, exportID: Int, refetch: Bool) {
        self.session = session
        self.exportID = exportID
        self.refetch = refetch
    }

    /// Commits the batch. Data that PostgreSQL will not take costs its own run alone: the batch is halved until the
    /// culprit stands by itself, and that run is recorded as `failed`.
    ///
    /// - Throws: `PostgresError` when the database is out of reach or refuses to work; nothing of the batch is stored
    ///   then, or whole halves of it.
    func commit(_ batch: [LoadedRun], requests: RequestCount) async throws -> [Commit] {
        try await commitHalving(batch[...], requests: requests)
    }

    private func commitHalving(_ batch: ArraySlice<LoadedRun>, requests: RequestCount) async throws -> [Commit] {
        do {
            return try await commitWhole(Array(batch), requests: requests)
        } catch let error as PostgresError where error.kind == .data || error.kind == .other {
            if batch.count == 1, let culprit = batch.first {
                guard !culprit.isBare else { throw error }
                return try await commitWhole([culprit.refused(error)], requests: requests)
            }
            let middle = batch.startIndex + batch.count / 2
            return try await commitHalving(batch[..<middle], requests: requests)
                + commitHalving(batch[middle...], requests: requests)
        }
    }

    private func commitWhole(_ batch: [LoadedRun], requests: RequestCount) async throws -> [Commit] {
        let number = batches + 1
        let exportID = exportID
        let refetch = refetch
        let commits = try await session.transaction { transaction in
            let stored = try transaction.lockRuns(batch)
            let merged = zip(batch, stored).map { run, stored in
                (run, MergeRule(stored: stored.outcome, answer: run.verdict.outcome, refetch: refetch), stored)
            }
            let writes = merged.filter { $0.1 == .replace || $0.1 == .update }.map(\.0)
            let refetched = merged.filter { $0.1 == .replace && $0.2.outcome.isStored }.map(\.0)
            try transaction.delete(from: .results, .errors, of: refetched)
            // They tell of the last attempt only.
            try transaction.delete(from: .apiErrors, of: writes)
            try transaction.copyResults(writes, exportID: exportID)
            try transaction.copyErrors(writes, exportID: exportID)
            try transaction.copyAPIErrors(writes, exportID: exportID)
            try transaction.updateRuns(writes, exportID: exportID)
            try transaction.countRequests(batch)
            let chains = try transaction.advanceChains(
                zip(batch, stored).map { AdvancingRun(run: $0, resultsBefore: $1.resultCount) }, exportID: exportID)
            let commits = merged.map { run, rule, stored in
                Commit(run, rule: rule, stored: stored.outcome, chain: chains[run.item.key])
            }
            try transaction.updateItems(commits, exportID: exportID)
            try transaction.countBatch(number, exportID: exportID, requests: requests)
            return commits
        } wasCommitted: { transaction in
            try transaction.hasBatch(number, exportID: exportID)
        }
        batches = number
        return commits
    }
}

extension Commit {
    fileprivate init(_ run: LoadedRun, rule: MergeRule, stored: Outcome, chain: Chain?) {
        let writes = rule == .replace || rule == .update
        item = run.item
        // They are counted in the run's row now.
        item.requests = 0
        outcome = writes ? run.verdict.outcome : stored
        self.rule = rule
        results = rule == .replace ? run.result?.resultCount ?? 0 : 0
        errors = rule == .replace ? run.result?.errors.count ?? 0 : 0
        pollAt = writes ? run.pollAt : nil
        self.chain = chain
        isNewPage = item.page != nil && rule == .replace && outcome == .success && !stored.isStored
    }
}

extension LoadedRun {
    /// Nothing in it came from outside but the IDs.
    fileprivate var isBare: Bool { result == nil && apiErrors.allSatisfy { $0.meta == nil } && status == nil }

    /// The run without the data that PostgreSQL refused.
    fileprivate func refused(_ error: PostgresError) -> LoadedRun {
        var run = self
        for index in run.apiErrors.indices { run.apiErrors[index].meta = nil }
        run.status = nil
        guard run.result != nil else { return run }
        run.result = nil
        run.verdict = Verdict(
            outcome: .failed, failure: "PostgreSQL does not take its result: \(error)", seenAlive: true)
        return run
    }
}
