import ActionsAPI
import ExportCore
import Foundation
import Postgres

/// The part of a batch that belongs to chains: a page and the cursor behind it are committed together.
enum ChainAdvance {
    /// Brings the chains of the batch's roots and pages to where the runs' rows, as they are now, take them.
    ///
    /// - Returns: the chain of each run that is of one.
    static func advance(
        _ runs: [AdvancingRun], exportID: Int, in transaction: borrowing PostgresTransaction
    ) throws -> [RunKey: Chain] {
        let runs = runs.filter { $0.run.item.chainRoot != nil }
        guard !runs.isEmpty else { return [:] }
        let roots = runs.compactMap(\.run.item.chainRoot)
        try PageStore.lockChains(roots, in: transaction)
        let byKey = Dictionary(runs.map { ($0.run.item.key, $0) }, uniquingKeysWith: { first, _ in first })
        var states: [RunKey: ChainState] = [:]
        for (page, chain) in try PageStore.pages(of: roots, runIDs: runs.map(\.run.item.key.runID), in: transaction) {
            guard let run = byKey[page.key] else { continue }
            states[chain.root, default: ChainState(chain: chain, before: chain)].add(page, of: run)
        }
        let changes = states.values.filter(\.hasChanged).map { (chain: $0.chain, addedResults: $0.added) }
        try PageStore.update(changes, exportID: exportID, in: transaction)
        var chains: [RunKey: Chain] = [:]
        for run in runs {
            if let root = run.run.item.chainRoot { chains[run.run.item.key] = states[root]?.chain }
        }
        return chains
    }
}

/// A run of a batch, with what the tables held of it before.
struct AdvancingRun {
    var run: FetchedRun
    var resultsBefore: Int
}

/// A chain on its way through a batch.
private struct ChainState {
    var chain: Chain
    let before: Chain
    /// Rows that the chain has more than before.
    var added = 0

    var hasChanged: Bool { chain != before || added != 0 }

    mutating func add(_ page: StoredPage, of run: AdvancingRun) {
        let isNew = chain.store(
            PageAnswer(
                number: page.number, isCurrent: page.isCurrent, outcome: page.outcome,
                // Such a fault shows in the answer alone.
                cursor: page.cursor, cursorFault: run.run.result?.cursorFault, isCursorUsed: page.isCursorUsed,
                resultCount: page.resultCount, throttledFor: run.run.result?.throttledFor, at: run.run.answeredAt))
        if isNew, page.number == 0 {
            // The chain has no rows but the root's, and those of an earlier answer to it are gone.
            added = (page.outcome.isStored ? page.resultCount : 0) - page.chainResultCount
        } else if isNew {
            added += page.outcome.isStored ? page.resultCount - page.supersededCount : 0
        } else if !page.isSuperseded {
            added += page.resultCount - run.resultsBefore
        }
    }
}

extension RunResult {
    /// How long the partner wants to be left alone, if it throttled the run: a minute if it does not say.
    fileprivate var throttledFor: Duration? {
        let delays = errors.prefix(PartnerErrors.mostRows).filter {
            ["throttled", "system_throttled"].contains($0.code)
        }
        .map { min(max($0.delay ?? 60, 1), 7 * 86_400) }
        return delays.max().map { .seconds($0) }
    }
}
