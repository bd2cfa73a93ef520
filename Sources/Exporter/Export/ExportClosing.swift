import ActionsAPI
import ExportCore
import Foundation
import Logging
import Postgres

/// Closes the row of an export: once it has stopped asking, or as far as that goes when an error breaks it off.
struct ExportClosing: Sendable {
    let ledger: Ledger
    let opening: ExportOpening
    let list: WorkList
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
        if ending != .finished { try await ledger.release(suspects: list.takeSuspects()) }
        let notReached = await list.notReached(unopened: opening.unopened)
        let remains = try await ledger.remains(notReached, at: clock.now)
        let balance = try await balance(machine, notReached, remains)
        let end = ExportEnd.ended(ending, ExportVerdict(ending, balance, options))
        try await finish(end, balance: balance, tally.requestCount)
        warn(tally)
        return summary(end, balance, remains, tally)
    }

    /// - Throws: `Exporter.AccountingError` unless what went in has come out.
    private func balance(
        _ machine: ExportMachine, _ notReached: NotReached, _ remains: ExportRemains
    ) async throws -> ExportBalance {
        let (found, recorded, tally) = (await opening.found, try await ledger.recorded(), machine.tally)
        let recordedCount = recorded.outcomes.values.reduce(0, +)
        var accounts = [
            ("the answers that were committed", await list.storedCount, "the rows of export_items", recordedCount),
            (
                "the runs to ask for", found.unsettledCount, "those asked for and those left",
                recordedCount + notReached.openedCount
            ),
            ("the results stored", tally.itemResults, "those of export_items", recorded.results),
        ]
        if let manifests = work.manifests, await opening.isComplete {
            accounts.append(("the manifests' runs", manifests.runCount, "the items", found.items))
        }
        for (name, count, otherName, otherCount) in accounts where count != otherCount {
            throw Exporter.AccountingError(description: "\(name) are \(count), \(otherName) \(otherCount)")
        }
        var balance = ExportBalance(
            items: work.manifests?.runCount, found: found, recorded: recorded.outcomes, results: recorded.results)
        for (reason, count) in found.endedChains { balance.chains[reason] = count }
        balance.chains.merge(remains.chains, uniquingKeysWith: +)
        balance.hasPagesToRefetch = machine.hasPagesToRefetch
        balance.rejects = tally.rejects
        balance.isOfDoubtfulAccount = tally.isOfDoubtfulAccount
        return balance
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
            isRefetchDone: balance.map { ($0.outcomes[.queued] ?? 0) == 0 && !$0.hasPagesToRefetch } ?? false,
            requests: requests)
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

    private func summary(
        _ end: ExportEnd, _ balance: ExportBalance, _ remains: ExportRemains, _ tally: Tally
    ) -> Summary {
        var summary = Summary(manifests: work.names, end: end)
        summary.exportID = ledger.exportID
        summary.account = account.name
        summary.add(tally)
        summary.add(balance)
        summary.chains.inDoubt = remains.chainsInDoubt
        summary.chains.left = remains.chainsLeft
        summary.elsewhere = remains.elsewhere
        let duration = board.current.startedAt.map { clock.now.timeIntervalSince($0) } ?? 0
        summary.duration = (duration * 1000).rounded() / 1000
        return summary
    }
}
