import ActionsAPI
import ExportCore
import Foundation
import Postgres

/// Writes batches of answers, one at a time: a run's rows, its outcome and its place in the ledger in one transaction.
///
/// A batch locks its runs in key order, so that two exports that share runs neither double a row nor wait for each
/// other in a circle; COPY takes the rows straight into the tables, since what could conflict has been settled before.
actor Loader {
    private let session: PostgresSession
    private let exportID: Int
    private let refetch: Bool
    /// Distinguishes it from other loaders of the export.
    private let lane: Int
    private var batches = 0
    /// The commit that is under way: the number of a batch is only good for one at a time.
    private var turn: Task<[Commit], any Error>?
    private var hasWrittenRows = false
    /// Rows of results and of errors, so far.
    private(set) var stored = (results: 0, errors: 0)

    init(session: PostgresSession, exportID: Int, refetch: Bool, lane: Int = 0) {
        self.session = session
        self.exportID = exportID
        self.refetch = refetch
        self.lane = lane
    }

    /// Commits the batch. What PostgreSQL will not take costs nothing else: the batch is halved until the culprit's run
    /// stands by itself, which is then written part by part.
    ///
    /// - Throws: `PostgresError` when the database is out of reach or refuses to work; nothing of the batch is stored
    ///   then, or whole halves of it.
    func commit(_ batch: [FetchedRun], requests: RequestCount) async throws -> [Commit] {
        let turn = Task { [before = turn] in
            _ = await before?.result
            return try await commitHalving(batch[...], requests: requests)
        }
        self.turn = turn
        return try await withTaskCancellationHandler {
            try await turn.value
        } onCancel: {
            turn.cancel()
        }
    }

    private func commitHalving(_ batch: ArraySlice<FetchedRun>, requests: RequestCount) async throws -> [Commit] {
        do {
            return try await commitWhole(Array(batch), partByPart: false, requests: requests)
        } catch let error as PostgresError where error.mayBlameData {
            if batch.count == 1, let run = batch.first { return try await commitAlone(run, requests: requests) }
            let middle = batch.startIndex + batch.count / 2
            return try await commitHalving(batch[..<middle], requests: requests)
                + commitHalving(batch[middle...], requests: requests)
        }
    }

    /// Part by part; and if PostgreSQL does not even take the run's own row, as a run that failed.
    private func commitAlone(_ run: FetchedRun, requests: RequestCount) async throws -> [Commit] {
        do {
            return try await commitWhole([run], partByPart: true, requests: requests)
        } catch let error as PostgresError
            where error.mayBlameData && (hasWrittenRows || !error.blamesTable) && run.verdict.outcome != .failed
        {
            return try await commitWhole([run.refused(error)], partByPart: false, requests: requests)
        }
    }

    private func commitWhole(
        _ batch: [FetchedRun], partByPart: Bool, requests: RequestCount
    ) async throws -> [Commit] {
        let number = batches + 1
        let exportID = exportID
        let (refetch, lane) = (refetch, lane)
        let trustsTables = hasWrittenRows
        let commits = try await session.transaction { transaction in
            try OpeningStore.preferLookUps(in: transaction)
            var merges = zip(
                batch, try RunStore.lock(batch.map(\.item.key), in: transaction)
            ).map { run, stored in
                Merge(
                    run: run, stored: stored,
                    rule: MergeRule(stored: stored.outcome, answer: run.verdict.outcome, refetch: refetch))
            }
            let writes = merges.filter(\.writes).map(\.run)
            try RunRowStore.delete(
                from: RunTable.ofResult,
                of: merges.filter { $0.writes && $0.stored.outcome.isStored }.map(\.run.item.key), in: transaction)
            try RunRowStore.delete(
                from: RunTable.ofLastAnswer,
                of: merges.filter { $0.writes && !$0.stored.isUnanswered }.map(\.run.item.key), in: transaction)
            if partByPart {
                let parts = PartByPart(exportID: exportID, trustsTables: trustsTables)
                for index in merges.indices where merges[index].writes {
                    merges[index].run = try parts.write(merges[index].run, in: transaction)
                }
            } else {
                try RunRowStore.copy(writes, exportID: exportID, in: transaction)
                try RunStore.update(writes, exportID: exportID, in: transaction)
            }
            try RunStore.countRequests(merges.filter { !$0.writes }.map(\.run), in: transaction)
            let chains = try ChainAdvance.advance(
                merges.map { AdvancingRun(run: $0.run, resultsBefore: $0.stored.resultCount) }, exportID: exportID,
                in: transaction)
            let commits = merges.map { Commit($0, chain: chains[$0.run.item.key]) }
            try ItemStore.record(commits, exportID: exportID, mayBeThere: partByPart, in: transaction)
            try ExportStore.countBatch(number, lane: lane, exportID: exportID, requests: requests, in: transaction)
            return commits
        } wasCommitted: { transaction in
            try ExportStore.hasBatch(number, lane: lane, exportID: exportID, in: transaction)
        }
        batches = number
        stored.results += commits.reduce(0) { $0 + $1.results }
        stored.errors += commits.reduce(0) { $0 + $1.errors }
        if commits.contains(where: { $0.results + $0.errors > 0 }) { hasWrittenRows = true }
        return commits
    }
}

extension FetchedRun {
    /// The run without its answer, which PostgreSQL did not take; the next export asks again.
    fileprivate func refused(_ error: PostgresError) -> FetchedRun {
        FetchedRun(
            item: item,
            verdict: Verdict(
                outcome: .failed, failure: "PostgreSQL does not take the run's row: \(error)",
                seenAlive: verdict.seenAlive),
            httpStatus: httpStatus, answeredAt: answeredAt)
    }
}

/// An answer, and what it meets in the tables.
private struct Merge {
    var run: FetchedRun
    var stored: RunStore.Stored
    var rule: MergeRule

    var writes: Bool { rule.writes }
}

extension Commit {
    fileprivate init(_ merge: Merge, chain: Chain?) {
        let (run, rule) = (merge.run, merge.rule)
        var item = run.item
        // They are counted in the run's row now.
        item.requests = 0
        let outcome = merge.writes ? run.verdict.outcome : merge.stored.outcome
        let isReplaced = rule == .replace
        self.init(
            item: item, outcome: outcome, rule: rule, results: isReplaced ? run.resultCount : 0,
            errors: isReplaced ? run.errorCount : 0,
            bundledErrors: isReplaced ? run.result?.errors.bundled ?? 0 : 0,
            rejects: merge.writes ? run.rejects : 0, pollAt: merge.writes ? run.pollAt : nil, chain: chain,
            isNewPage: item.page != nil && isReplaced && outcome == .success && !merge.stored.outcome.isStored)
    }
}
