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
    private let record: @Sendable (ExportEnd) -> ExportRecord
    private let clock: SteadyClock
    private let board: ProgressBoard
    private let logger: Logger

    /// - Parameters:
    ///   - migrates: false for `--no-migrate`: a schema that is behind is then an error.
    ///   - deadline: when `--time-limit` is over, counted from the start of the call.
    ///   - record: what the row of the export keeps of its end.
    package init(
        database: PostgresConfiguration, client: ActionsClient, origin: ExportOrigin, options: ExportOptions,
        ifLocked: IfLocked, migrates: Bool, deadline: Date?, record: @escaping @Sendable (ExportEnd) -> ExportRecord,
        clock: SteadyClock, board: ProgressBoard, logger: Logger
    ) {
        self.database = database
        self.client = client
        self.origin = origin
        self.options = options
        self.ifLocked = ifLocked
        self.migrates = migrates
        self.deadline = deadline
        self.record = record
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
        let ledger = try await open(work, session: session, at: clock.now)
        board.update {
            $0.exportID = ledger.exportID
            $0.manifests = work.names
            $0.account = origin.account
            $0.items = work.manifests?.runCount ?? 0
        }
        let closing = ExportClosing(
            ledger: ledger, work: work, account: origin.account, options: options, record: record, clock: clock,
            board: board, logger: logger)
        let witnesses: [UUID]
        do {
            witnesses = try await begin(ledger, clock: clock)
        } catch {
            throw await closing.breakOff(error, requests: RequestCount())
        }
        let machine = ExportMachine(
            options: options, witnesses: witnesses, deadline: deadline)
        return try await drive(machine, on: work, ledger: ledger, closing: closing, clock: clock, signals: signals)
    }

    /// Shows what there is to do.
    ///
    /// - Returns: stored actions of which the account has had results.
    private func begin(_ ledger: Ledger, clock: SteadyClock) async throws -> [UUID] {
        let balance = try await ledger.balance()
        let witnesses = try await ledger.actionsWithResults(limit: AccountWatch.witnesses)
        board.update {
            $0.items = balance.items
            $0.alreadySettled = balance.alreadySettled
            $0.done = balance.alreadySettled
            $0.startedAt = clock.now
            $0.clock = clock
        }
        logger.info(
            "export \(ledger.exportID): \(balance.items) runs, \(balance.alreadySettled) of them settled before")
        return witnesses
    }

    /// - Throws: `BrokenOffExport`.
    private func drive(
        _ machine: ExportMachine, on work: Work, ledger: Ledger, closing: ExportClosing, clock: SteadyClock,
        signals: AsyncStream<Int32>
    ) async throws -> Summary {
        var machine = machine
        let loader = Loader(session: ledger.session, exportID: ledger.exportID, refetch: options.refetch)
        let intents = IntentLog(database: database, exportID: ledger.exportID, logger: logger)
        let driver = ExportDriver(
            requests: Requests(client: client, clock: clock, keepsBodies: options.keepRaw, manifests: work.manifests),
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
            return try await closing.close(machine, after: ending)
        } catch {
            // A commit that came through as the loop was cancelled is known to the loader alone.
            let stored = await loader.stored
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
