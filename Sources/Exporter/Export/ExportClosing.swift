import ActionsAPI
import ExportCore
import Foundation
import Logging
import Postgres

/// Closes the row of an export: once it has stopped asking, or as far as that goes when an error breaks it off.
struct ExportClosing: Sendable {
    let ledger: Ledger
    let work: Exporter.Work
    let account: ZapierAccount
    let options: ExportOptions
    let record: @Sendable (ExportEnd) -> ExportRecord
    /// The database's.
    let clock: SteadyClock
    let board: ProgressBoard
    let logger: Logger

    /// - Throws: `Exporter.AccountingError`, `PostgresError`.
    func close(_ machine: ExportMachine, after ending: Ending) async throws -> Summary {
        let tally = machine.tally
        if case .interrupted(let signal) = ending {
            // The balance of a large export takes seconds, and there may be none left.
            try await finish(.ended(ending, .interrupted(signal: signal)), balance: nil, tally.requestCount)
        }
        if ending != .finished { try await ledger.releaseSuspects() }
        var balance = try await ledger.balance()
        balance.hasPagesToRefetch = machine.hasPagesToRefetch
        balance.rejects = tally.rejects
        balance.isOfDoubtfulAccount = tally.isOfDoubtfulAccount
        try check(balance, tally)
        let end = ExportEnd.ended(ending, ExportVerdict(ending, balance, options))
        try await finish(end, balance: balance, tally.requestCount)
        warn(tally)
        return try await summary(end, balance, tally)
    }

    /// Closes the row if the database still answers; otherwise the next export of the manifest does.
    func breakOff(_ error: any Error, requests: RequestCount) async -> BrokenOffExport {
        let end = ExportEnd.failed(error)
        let postgres = (error as? PostgresError)?.kind
        if postgres?.isConnectionLoss != true, postgres != .cancelled {
            do {
                try await finish(end, balance: nil, requests)
            } catch {
                logger.warning(
                    "export \(ledger.exportID) still counts as running, because its row could not be closed: \(error)")
            }
        }
        return BrokenOffExport(cause: error, summary: board.current.summary(end))
    }

    private func finish(_ end: ExportEnd, balance: ExportBalance?, _ requests: RequestCount) async throws {
        let record = record(end)
        try await ledger.finish(
            record.outcome.rawValue, exitStatus: record.exitStatus, reason: record.reason, balance: balance,
            requests: requests)
    }

    /// What went in must have come out.
    private func check(_ balance: ExportBalance, _ tally: Tally) throws {
        if let manifests = work.manifests, balance.items != manifests.runCount {
            throw Exporter.AccountingError(
                description: "the manifests name \(manifests.runCount) runs, the export has \(balance.items) items")
        }
        if balance.results != tally.itemResults {
            throw Exporter.AccountingError(
                description: "\(tally.itemResults) results were stored, the ledger has \(balance.results)")
        }
    }

    private func warn(_ tally: Tally) {
        if tally.rejects > 0 {
            logger.error(
                "PostgreSQL refused \(tally.rejects) parts of answers: see stored_actions.rejects for parts and reasons"
            )
        }
        if tally.bundledErrors > 0 {
            logger.warning(
                """
                \(tally.bundledErrors) partner errors share the last row of their runs in stored_actions.errors, as one \
                array in its column raw: a run has at most \(PartnerErrors.mostRows) rows there
                """)
        }
    }

    private func summary(_ end: ExportEnd, _ balance: ExportBalance, _ tally: Tally) async throws -> Summary {
        var summary = Summary(manifests: work.names, end: end)
        summary.exportID = ledger.exportID
        summary.account = account.name
        summary.add(tally)
        summary.add(balance)
        summary.chains.inDoubt = try await ChainReport.of(
            export: ledger.exportID, account: nil, inDoubt: true, session: ledger.session)
        summary.chains.left = try await ChainReport.of(
            export: ledger.exportID, account: nil, inDoubt: false, session: ledger.session)
        let elsewhere = try await ledger.unfinishedElsewhere(at: clock.now)
        summary.elsewhere = Summary.Elsewhere(runs: elsewhere.runs, soonestExpiry: elsewhere.soonestExpiry)
        let duration = board.current.startedAt.map { clock.now.timeIntervalSince($0) } ?? 0
        summary.duration = (duration * 1000).rounded() / 1000
        return summary
    }
}
