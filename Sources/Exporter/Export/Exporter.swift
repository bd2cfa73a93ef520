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
    private let executor: any TaskExecutor
    private let origin: ExportOrigin
    private let options: ExportOptions
    private let ifLocked: IfLocked
    private let migrates: Bool
    private let deadline: Date?
    private let record: @Sendable (ExportEnd) -> ExportRecord
    private let clock: SteadyClock
    private let board: ProgressBoard
    private let temporaryDirectory: String
    private let logger: Logger

    /// - Parameters:
    ///   - executor: runs the tasks that wait for answers.
    ///   - migrates: false for `--no-migrate`: a schema that is behind is then an error.
    ///   - deadline: when `--time-limit` is over, counted from the start of the call.
    ///   - temporaryDirectory: where the work list waits; the files there have no names.
    ///   - record: what the row of the export keeps of its end.
    package init(
        database: PostgresConfiguration, client: ActionsClient, executor: any TaskExecutor, origin: ExportOrigin,
        options: ExportOptions, ifLocked: IfLocked, migrates: Bool, deadline: Date?,
        record: @escaping @Sendable (ExportEnd) -> ExportRecord, clock: SteadyClock, board: ProgressBoard,
        temporaryDirectory: String, logger: Logger
    ) {
        self.database = database
        self.client = client
        self.executor = executor
        self.origin = origin
        self.options = options
        self.ifLocked = ifLocked
        self.migrates = migrates
        self.deadline = deadline
        self.record = record
        self.clock = clock
        self.board = board
        self.temporaryDirectory = temporaryDirectory
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
            try await export(work, session: session, signals: signals)
        }
    }

    private func export(
        _ work: Work, session: PostgresSession, signals: AsyncStream<Int32>
    ) async throws -> Summary {
        try await PostgresSession.withSession(database, observer: databaseLog) { try await prepareSchema(on: $0) }
        if let taken = try await LockWait(ifLocked: ifLocked, clock: clock, logger: logger).connect(session) {
            var summary = Summary(manifests: work.names, end: .skipped(holder: taken.holder))
            summary.account = origin.account.name
            return summary
        }
        // From here on, use the database's clock.
        let clock = try await self.clock.ofDatabase(on: session, logger: logger)
        let deadline = self.deadline.map { clock.now + $0.timeIntervalSince(self.clock.now) }
        let ledger = try await begin(work, session: session, at: clock.now)
        board.update {
            $0.exportID = ledger.exportID
            $0.manifests = work.names
            $0.account = origin.account
            $0.items = work.manifests?.runCount ?? 0
            $0.startedAt = clock.now
            $0.clock = clock
        }
        let list = WorkList(directory: temporaryDirectory)
        let opening = ExportOpening(
            of: ledger, manifests: work.manifests, list: list, retryFailedPages: options.retryFailedPages,
            database: database, logger: logger)
        let closing = ExportClosing(
            ledger: ledger, opening: opening, list: list, work: work, account: origin.account, options: options,
            record: record, clock: clock, board: board, logger: logger)
        let loader = LoaderLanes(
            session: session, exportID: ledger.exportID, refetch: options.refetch, database: database, logger: logger)
        let driver = ExportDriver(
            requests: Requests(client: client, clock: clock, keepsBodies: options.keepRaw, manifests: work.manifests),
            ledger: ledger, opening: opening, list: list, loader: loader,
            intents: IntentLog(database: database, exportID: ledger.exportID, logger: logger), clock: clock,
            board: board, logger: logger)
        let machine: ExportMachine
        do {
            machine = try await self.machine(driver, deadline: deadline)
        } catch {
            await opening.close()
            throw await closing.breakOff(error, requests: RequestCount())
        }
        return try await drive(machine, by: driver, closing: closing, signals: signals)
    }

    /// Opens the first step of the export.
    private func machine(_ driver: ExportDriver, deadline: Date?) async throws -> ExportMachine {
        let opened = try await driver.openStep()
        let witnesses = try await driver.ledger.actionsWithResults(
            preferring: await driver.opening.firstActions, limit: AccountWatch.witnesses)
        return ExportMachine(options: options, opened: opened, witnesses: witnesses, deadline: deadline)
    }

    /// - Throws: `BrokenOffExport`.
    private func drive(
        _ machine: ExportMachine, by driver: ExportDriver, closing: ExportClosing, signals: AsyncStream<Int32>
    ) async throws -> Summary {
        var machine = machine
        do {
            let ending: Ending
            do {
                ending = try await withTaskExecutorPreference(executor) {
                    try await driver.run(&machine, signals: signals)
                }
            } catch {
                await driver.close()
                throw error
            }
            await driver.close()
            return try await closing.close(machine, after: ending)
        } catch {
            // A commit that came through as the loop was cancelled is known to the loader alone.
            let stored = await driver.loader.stored
            board.update {
                $0.tally = machine.tally
                $0.tally.results = max(stored.results, machine.tally.results)
                $0.tally.errors = max(stored.errors, machine.tally.errors)
            }
            throw await closing.breakOff(error, requests: machine.tally.requestCount)
        }
    }

    private var databaseLog: DatabaseLog { DatabaseLog(database: database, logger: logger) }

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

    private func begin(_ work: Work, session: PostgresSession, at now: Date) async throws -> Ledger {
        var origin = origin
        origin.timeLimit = deadline.map { max(0, $0.timeIntervalSince(clock.now)) }
        do {
            switch work {
            case .manifests(let manifests):
                return try await Ledger.begin(
                    manifests, origin: origin, refetch: options.refetch, adopts: options.adopt,
                    concurrency: options.concurrency, session: session, at: now)
            case .unfinished:
                return try await Ledger.beginUnfinished(
                    origin: origin, retryFailedPages: options.retryFailedPages, concurrency: options.concurrency,
                    session: session)
            }
        } catch {
            throw await SchemaProblem.explaining(error, on: session)
        }
    }
}

extension Exporter.Work {
    var names: [String] {
        switch self {
        case .manifests(let manifests): manifests.list.map(\.name)
        case .unfinished: []
        }
    }

    var manifests: Manifests? {
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
