import ActionsAPI
import ActionsHTTP
import ExportCore
import Foundation
import Logging
import Postgres

/// One call of `export`: from the work to its summary.
package struct Exporter: Sendable {
    package enum Work: Sendable {
        case manifests(Manifests)
        /// Whatever earlier exports left unsettled.
        case unfinished
    }

    /// The database's rows do not add up to the manifests' runs: a bug.
    package struct AccountingError: Error, CustomStringConvertible {
        package var description: String
    }

    private let database: PostgresConfiguration
    private let client: ActionsClient
    private let origin: ExportOrigin
    private let options: ExportOptions
    private let ifLocked: IfLocked
    private let migrates: Bool
    private let deadline: Date?
    private let clock: SteadyClock
    private let board: ProgressBoard
    private let logger: Logger

    /// - Parameters:
    ///   - migrates: false for `--no-migrate`: a schema that is behind is then an error.
    ///   - deadline: when `--time-limit` is over, counted from the start of the call.
    package init(
        database: PostgresConfiguration, client: ActionsClient, origin: ExportOrigin, options: ExportOptions,
        ifLocked: IfLocked, migrates: Bool, deadline: Date?, clock: SteadyClock, board: ProgressBoard, logger: Logger
    ) {
        self.database = database
        self.client = client
        self.origin = origin
        self.options = options
        self.ifLocked = ifLocked
        self.migrates = migrates
        self.deadline = deadline
        self.clock = clock
        self.board = board
        self.logger = logger
    }

    /// - Parameter signals: numbers of signals that ask the export to end in good order.
    /// - Throws: `ExportLock.Taken`, `SchemaProblem`, `PostgresError`, `CancellationError` when the task was cancelled,
    ///   before the export had begun; `BrokenOffExport` afterwards.
    package func run(_ work: Work, signals: AsyncStream<Int32>) async throws -> Summary {
        let lock = ExportLock(names: work.lockNames, account: origin.account)
        return try await PostgresSession.withSession(database, observer: databaseLog) { connection in
            try await lock.acquire(on: connection)
        } _: { session in
            try await export(work, lock: lock, session: session, signals: signals)
        }
    }

    private func export(
        _ work: Work, lock: ExportLock, session: PostgresSession, signals: AsyncStream<Int32>
    ) async throws -> Summary {
        try await PostgresSession.withSession(database, observer: databaseLog) { try await prepareSchema(on: $0) }
        if let taken = try await connect(session, lock: lock) {
            var summary = Summary(manifests: work.names, outcome: "skipped", exitStatus: ExitStatus.complete)
            let holder = taken.holder.map { " (\($0.description))" } ?? ""
            summary.account = origin.account.name
            summary.reason = "another export of this manifest is running\(holder)"
            return summary
        }
        // From here on, use the database's clock.
        let clock = try await self.clock.ofDatabase(on: session, logger: logger)
        let deadline = self.deadline.map { clock.now + $0.timeIntervalSince(self.clock.now) }
        let ledger = try await open(work, session: session, at: clock.now)
        board.update {
            $0.exportID = ledger.exportID
            $0.manifests = work.names
            $0.account = origin.account
            $0.items = work.manifests?.runCount ?? 0
        }
        let begin: Ledger.Account
        let witnesses: [UUID]
        do {
            begin = try await ledger.account()
            witnesses = try await ledger.actionsWithResults(limit: AccountWatch.witnesses)
        } catch {
            throw await brokenOff(ledger, error, requests: RequestCount())
        }
        board.update {
            $0.items = begin.items
            $0.alreadySettled = begin.alreadySettled
            $0.done = begin.alreadySettled
            $0.startedAt = clock.now
            $0.clock = clock
        }
        logger.info("export \(ledger.exportID): \(begin.items) runs, \(begin.alreadySettled) of them settled before")

        let loader = Loader(session: session, exportID: ledger.exportID, refetch: options.refetch)
        let intents = IntentLog(database: database, exportID: ledger.exportID, logger: logger)
        var machine = ExportMachine(options: options, witnesses: witnesses, deadline: deadline)
        let driver = ExportDriver(
            requests: Requests(
                client: client, clock: clock, keepsBodies: options.keepRaw, manifests: work.manifests),
            ledger: ledger, loader: loader, intents: intents, clock: clock, board: board, logger: logger)
        do {
            let ending: Ending
            do {
                ending = try await driver.run(&machine, signals: signals)
            } catch {
                await intents.close()
                throw error
            }
            await intents.close()
            return try await close(ledger, work: work, ending: ending, machine: machine, clock: clock, session: session)
        } catch {
            // A commit that came through as the loop was cancelled is known to the loader alone.
            let stored = await loader.stored
            board.update {
                $0.tally = machine.tally
                $0.tally.results = max(stored.results, machine.tally.results)
                $0.tally.errors = max(stored.errors, machine.tally.errors)
            }
            throw await brokenOff(ledger, error, requests: machine.tally.requestCount)
        }
    }

    /// Closes the row of an export that cannot go on, as far as the database still answers; otherwise the next export of
    /// the manifest does.
    private func brokenOff(_ ledger: Ledger, _ error: any Error, requests: RequestCount) async -> BrokenOffExport {
        let status = ExitStatus.of(error)
        let postgres = (error as? PostgresError)?.kind
        if postgres?.isConnectionLoss != true, postgres != .cancelled {
            do {
                try await ledger.finish(
                    ExitStatus.exportOutcome(status), exitStatus: status, reason: "\(error)", account: nil,
                    requests: requests)
            } catch {
                logger.warning(
                    "export \(ledger.exportID) still counts as running, because its row could not be closed: \(error)")
            }
        }
        return BrokenOffExport(cause: error, summary: board.current.summary(exitStatus: status))
    }

    private var databaseLog: DatabaseLog { DatabaseLog(database: database, logger: logger) }

    // MARK: Before

    private func prepareSchema(on session: PostgresSession) async throws {
        let migrator = Migrator(toolVersion: origin.toolVersion)
        if migrates {
            for migration in try await migrator.migrate(on: session) {
                logger.info("schema: applied migration \(migration.version) (\(migration.name))")
            }
        } else {
            try await migrator.requireUpToDate(on: session)
        }
        if let refusal = try await SchemaChanges(on: session).refusal { throw refusal }
        if let warning = try await SchemaOwnership(on: session).warning { logger.warning("\(warning)") }
    }

    private func open(_ work: Work, session: PostgresSession, at now: Date) async throws -> Ledger {
        var origin = origin
        origin.timeLimit = deadline.map { max(0, $0.timeIntervalSince(clock.now)) }
        do {
            switch work {
            case .manifests(let manifests):
                return try await Ledger.open(
                    manifests, origin: origin, refetch: options.refetch, adopts: options.adopt,
                    retryFailedPages: options.retryFailedPages, concurrency: options.concurrency, session: session,
                    at: now)
            case .unfinished:
                return try await Ledger.openUnfinished(
                    origin: origin, retryFailedPages: options.retryFailedPages, concurrency: options.concurrency,
                    session: session, at: now)
            }
        } catch {
            throw await session.explained(error)
        }
    }

    /// - Returns: who holds the lock, if another export of the manifest is running and this one is to be skipped.
    /// - Throws: `ExportLock.Taken` if it is to fail, or if the other one hangs: skipped for ever, it would never be
    ///   noticed.
    private func connect(_ session: PostgresSession, lock: ExportLock) async throws -> ExportLock.Taken? {
        let begin = clock.now
        var waitingFor: String?
        var isHangTold = false
        while true {
            do {
                try await session.connect()
                if let waitingFor {
                    let time = Int(clock.now.timeIntervalSince(begin).rounded())
                    logger.notice("the other export of \"\(waitingFor)\" has ended: going on after \(time) s")
                }
                return nil
            } catch let taken as ExportLock.Taken {
                // The session of a killed export may linger on the server for a moment.
                let patient = clock.now < begin + 2
                if !patient {
                    switch ifLocked {
                    case .fail: throw taken
                    case .skip where taken.holder?.hangs != nil: throw taken
                    case .skip: return taken
                    case .wait: break
                    }
                    let holder = taken.holder?.description ?? "it is just ending"
                    if waitingFor == nil {
                        waitingFor = taken.name
                        logger.notice("waiting: another export of \"\(taken.name)\" is running (\(holder))")
                    }
                    if let reason = taken.holder?.hangs, !isHangTold {
                        isHangTold = true
                        logger.warning("the export of \"\(taken.name)\" hangs (\(holder)): \(reason)")
                    }
                }
                try await clock.sleep(until: clock.now + (patient ? 0.1 : 1))
            }
        }
    }

    // MARK: After

    private func close(
        _ ledger: Ledger, work: Work, ending: Ending, machine: ExportMachine, clock: SteadyClock,
        session: PostgresSession
    ) async throws -> Summary {
        let tally = machine.tally
        if case .interrupted(let signal) = ending {
            // The account of a large export takes seconds, and there may be none left.
            try await ledger.finish(
                "interrupted", exitStatus: ExitStatus.interrupted(by: signal),
                reason: ending.reason(account: origin.account), account: nil,
                requests: tally.requestCount)
        }
        if ending != .finished { try await ledger.releaseSuspects() }
        var account = try await ledger.account()
        account.hasPagesToRefetch = machine.hasPagesToRefetch
        account.rejects = tally.rejects
        account.isOfDoubtfulAccount = tally.isOfDoubtfulAccount
        try check(account, work: work, tally: tally)
        let exitStatus = ending.exitStatus(account, options: options)
        var summary = Summary(
            manifests: work.names, outcome: ExitStatus.exportOutcome(exitStatus), exitStatus: exitStatus)
        try await ledger.finish(
            summary.outcome, exitStatus: exitStatus,
            reason: ending.reason(account: origin.account) ?? account.reason(of: exitStatus, options),
            account: account, requests: tally.requestCount)
        summary.exportID = ledger.exportID
        summary.account = origin.account.name
        summary.add(tally)
        summary.add(account)
        summary.chainsInDoubt = try await ChainReport.of(
            export: ledger.exportID, account: nil, inDoubt: true, session: session)
        summary.chainsLeft = try await ChainReport.of(
            export: ledger.exportID, account: nil, inDoubt: false, session: session)
        summary.reason = ending.reason(account: origin.account)
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
        let elsewhere = try await ledger.unfinishedElsewhere(at: clock.now)
        summary.unfinishedElsewhere = elsewhere.runs
        summary.soonestExpiryElsewhere = elsewhere.soonestExpiry
        let duration = board.current.startedAt.map { clock.now.timeIntervalSince($0) } ?? 0
        summary.duration = (duration * 1000).rounded() / 1000
        return summary
    }

    /// What went in must have come out.
    private func check(_ account: Ledger.Account, work: Work, tally: Tally) throws {
        if case .manifests(let manifests) = work, account.items != manifests.runCount {
            throw AccountingError(
                description: "the manifests name \(manifests.runCount) runs, the export has \(account.items) items")
        }
        if account.results != tally.itemResults {
            throw AccountingError(
                description: "\(tally.itemResults) results were stored, the ledger has \(account.results)")
        }
    }
}

extension Exporter.Work {
    fileprivate var names: [String] {
        switch self {
        case .manifests(let manifests): manifests.list.map(\.name)
        case .unfinished: []
        }
    }

    fileprivate var manifests: Manifests? {
        switch self {
        case .manifests(let manifests): manifests
        case .unfinished: nil
        }
    }

    fileprivate var lockNames: [String] {
        switch self {
        case .manifests: names
        case .unfinished: [ExportLock.unfinished]
        }
    }
}
