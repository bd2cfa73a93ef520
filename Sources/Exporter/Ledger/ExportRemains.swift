import ExportCore
import Foundation
import Postgres

/// What an export leaves behind, and what earlier ones have left beside it.
struct ExportRemains: Sendable {
    /// Unsettled runs of the account that are not this export's, pages that chains go on with included.
    var elsewhere = Summary.Elsewhere()
    /// The chains that the opening did not count, by their ends; nil: those that go on.
    var chains: [EndReason?: Int] = [:]
    /// The first of them, those in doubt for the longest first.
    var chainsInDoubt: [ChainReport] = []
    var chainsLeft: [ChainReport] = []
}

extension Ledger {
    /// Keys are compared a part at a time: neither those of the export's runs nor those of the account's need fit into
    /// memory.
    ///
    /// - Parameter notReached: of the export's items, those that have no row in `export_items`.
    func remains(_ notReached: NotReached, at now: Date) async throws -> ExportRemains {
        let (exportID, account) = (exportID, account)
        return try await session.transaction { transaction in
            let all = try ElsewhereStore.count(otherThan: exportID, of: account, at: now, in: transaction)
            try OpeningStore.preferLookUps(in: transaction)
            var remains = ExportRemains()
            var openRoots = 0
            try notReached.forEachBatchOfRoots { roots in
                try remains.addChains(of: roots, exportID: exportID, in: transaction)
                openRoots += try ElsewhereStore.countOpen(roots, in: transaction)
            }
            remains.orderChains()
            var elsewhere = all.runs + all.openRoots - openRoots
            if elsewhere > notReached.openedCount || notReached.unopened != nil || elsewhere < 0 {
                try notReached.forEachBatchOfRuns { keys in
                    elsewhere -= try ElsewhereStore.countUnsettled(keys, at: now, in: transaction)
                }
            } else {
                elsewhere -= notReached.openedCount
            }
            remains.elsewhere.runs = max(0, elsewhere)
            if elsewhere > 0 {
                remains.elsewhere.soonestExpiry = try ElsewhereStore.soonestExpiry(
                    otherThan: exportID, of: account, at: now, in: transaction
                ) { keys in
                    try notReached.forEachRun { keys.remove($0) }
                    try notReached.forEachChainRoot { keys.remove($0) }
                }
            }
            return remains
        } wasCommitted: { _ in
            true
        }
    }
}

extension ExportRemains {
    fileprivate mutating func addChains(
        of roots: [RunKey], exportID: Int, in transaction: borrowing PostgresTransaction
    ) throws {
        for row in try transaction.query(
            """
            select c.end_reason, count(*) as chains
              from \(RunKey.unnested())
              join stored_actions.page_chains c on c.stored_action_id = k.stored_action_id and c.root_run_id = k.run_id
             -- One whose root is not stored does not count yet: its item's outcome covers it.
             where c.pages > 0 or c.end_reason is not null
             group by c.end_reason
            """, roots.parameters)
        {
            let reason = try row.decode("end_reason", as: String?.self).map(EndReason.init(named:))
            chains[reason, default: 0] += try row.decode("chains", as: Int.self)
        }
        let isInScope = """
            (c.stored_action_id, c.root_run_id) in (
              select k.stored_action_id, k.run_id from \(RunKey.unnested(at: 2)))
            """
        for inDoubt in [true, false] {
            let reports = try transaction.query(
                ChainReport.query(inDoubt: inDoubt, isInScope: isInScope), [.int(exportID)] + roots.parameters
            ).map { try ChainReport($0, inDoubt: inDoubt) }
            if inDoubt { chainsInDoubt += reports } else { chainsLeft += reports }
        }
    }

    /// Each batch of roots has its own order.
    fileprivate mutating func orderChains() {
        func ordered(_ reports: [ChainReport]) -> [ChainReport] {
            let ordered = reports.sorted { a, b in
                (a.askedAt ?? .distantFuture, a.storedActionID, a.rootRunID)
                    < (b.askedAt ?? .distantFuture, b.storedActionID, b.rootRunID)
            }
            return Array(ordered.prefix(ChainReport.limit))
        }
        (chainsInDoubt, chainsLeft) = (ordered(chainsInDoubt), ordered(chainsLeft))
    }
}
