import ActionsAPI
import ActionsHTTP
import ArgumentParser
import ExportCore
import Exporter
import Foundation
import Postgres

struct Export: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Fetches the runs that manifests name and stores their results.",
        discussion: """
            The same command again continues where the last one ended. Exit status 0: complete; 3: complete, with \
            something that --fail-on names; 4: nothing is left but pages in doubt, which a person has to resolve first; \
            75: incomplete, call it again; 64, 65, 69, 77, 78: see the README.

            EXAMPLE
              stored-actions export --manifest jobs/today.json
            """)

    @OptionGroup var manifests: ManifestOptions

    @Flag(help: "Export everything that earlier exports left unsettled, the soonest expiry first.")
    var unfinished = false

    @Option(help: ArgumentHelp("Requests in flight at most, 1 to 1000.", valueName: "n"))
    var concurrency = ExportOptions().concurrency

    @Option(
        help: ArgumentHelp(
            "Part of a rate window to spend, above 0 and up to 1; the rest is left to other programs.",
            valueName: "share"))
    var budgetShare = ExportOptions().budgetShare

    @Option(
        help: ArgumentHelp(
            "Room for answers in memory, all together: 64M, 1G. One larger answer at a time goes beyond it.",
            valueName: "size"))
    var memory = SizeArgument(mebibytes: 64)

    @Option(
        help: ArgumentHelp(
            "The largest answer that is taken, unpacked; the run of a larger one fails.", valueName: "size"))
    var maxBody = SizeArgument(mebibytes: TransportLimits().body >> 20)

    @Option(
        help: ArgumentHelp(
            "How long to go on polling unfinished runs once nothing else is left to do; 0 polls none again.",
            valueName: "duration"))
    var maxWait = DurationArgument(minutes: 10)

    @Option(
        help: ArgumentHelp("End the export cleanly after this long: 90s, 15m, 2h, 1d.", valueName: "duration"))
    var timeLimit: DurationArgument?

    @Flag(help: "Fetch settled runs and stored pages again too; no page is requested again.")
    var refetch = false

    @Flag(
        help: "Move stored actions that the manifests name, and that belong to another account, to this one.")
    var adopt = false

    @Flag(help: "Continue chains that ended in a failed page: request that page again.")
    var retryFailedPages = false

    @Option(
        help: ArgumentHelp(
            "What makes a complete export exit with 3: outcomes, truncated (a chain of pages behind whose end rows may be missing), rejects (PostgreSQL refused a part of an answer), or none.",
            valueName: "list"))
    var failOn = OutcomeList([.forbidden, .notFound, .rejected], truncated: true, rejects: true)

    @Option(
        help: ArgumentHelp("Of waiting,pending: outcomes that leave an export complete.", valueName: "list"))
    var allow: OutcomeList?

    @Option(help: "When another export of the manifest is running: fail (75), skip (0) or wait.")
    var ifLocked = IfLocked.fail

    @Flag(help: "Keep the body of each final answer, byte for byte, in run_bodies.")
    var keepRaw = false

    @Flag(help: "Do not bring the schema up to date first.")
    var noMigrate = false

    @OptionGroup var account: AccountOptions
    @OptionGroup var api: APIOptions
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    mutating func validate() throws {
        if unfinished {
            guard !manifests.isGiven else {
                throw ValidationError(
                    "--unfinished goes without --manifest and its options: it exports what earlier manifests named.")
            }
            if adopt { throw ValidationError("--adopt goes with --manifest: it moves what manifests name.") }
            if refetch { throw ValidationError("--refetch goes with --manifest: --unfinished has nothing settled.") }
        } else {
            try manifests.requireSome()
        }
        guard (1...1000).contains(concurrency) else {
            throw ValidationError("--concurrency is a whole number from 1 to 1000.")
        }
        guard budgetShare > 0, budgetShare <= 1 else {
            throw ValidationError("--budget-share is above 0 and at most 1, such as 0.8.")
        }
        if let allow, allow.truncated || allow.rejects || !allow.outcomes.isSubset(of: [.waiting, .pending]) {
            throw ValidationError("--allow takes waiting, pending or both: waiting,pending.")
        }
        // Positions within a body are kept in 32 bits.
        guard maxBody.bytes < 1 << 32 else { throw ValidationError("--max-body is less than 4G.") }
        if let timeLimit, timeLimit.duration == .zero {
            throw ValidationError("--time-limit is longer than 0.")
        }
    }

    var needs: ResourceNeeds {
        .api(requests: concurrency, room: memory.bytes, largestBody: maxBody.bytes)
    }

    func perform(_ console: Console, _ desk: SignalDesk) async throws -> Report {
        let plan = try plan()
        for note in plan.notes { console.logger.warning("\(note)") }
        let clock = SteadyClock()
        let deadline = timeLimit.map { clock.now + $0.duration.seconds }
        let display = ProgressDisplay(console: console)
        display.begin(unfinished ? "looking for unfinished runs" : "reading \(manifests.shown)")
        let sources = SettingSources(database: database, api: api, account: account)
        let owner = try sources.accountName().value
        let (access, database) = (try APIAccess(sources), try sources.database())
        access.warn(console.logger)
        desk.stay { [exchanges = access.exchanges] in !exchanges.isEmpty }
        let work: Exporter.Work =
            unfinished ? .unfinished : .manifests(try manifests.read(keepAllProblems: output.json, console))

        let board = ProgressBoard()
        desk.onExit { signal in
            var failure = Failure(interruptedBy: signal)
            failure.summary = board.current.summary(.failed(failure))
            return end(with: failure, on: console)
        }
        let export = Task {
            try await access.withClient(
                connections: plan.requests, room: plan.room, largestBody: plan.largestBody,
                attempts: Self.tokenAttempts, logger: console.logger
            ) { client in
                let exporter = Exporter(
                    database: database.value, client: client, executor: EventLoops.executor,
                    origin: ExportOrigin(
                        apiURL: access.api.value, toolVersion: toolVersion, host: ProcessInfo.processInfo.hostName,
                        account: owner),
                    options: options(requests: plan.requests), ifLocked: ifLocked, migrates: !noMigrate,
                    deadline: deadline, record: { EndText.record($0, account: owner) }, clock: clock, board: board,
                    temporaryDirectory: NSTemporaryDirectory(),
                    logger: console.logger)
                return try await exporter.run(work, signals: desk.signals)
            }
        }
        desk.enter(.working(isUnderWay: { board.current.startedAt != nil }, cancel: { export.cancel() }))
        let timer = Task {
            guard let deadline else { return }
            try await clock.sleep(until: deadline + Self.graceAfterDeadline)
            export.cancel()
        }
        defer { timer.cancel() }
        do {
            let summary = try await display.showing(board) { try await export.value }
            let text = SummaryText(summary: summary, command: ContinuingCommand(export: self))
            return Report(text: text.text, json: SummaryJSON(summary: summary), exitStatus: text.end.status)
        } catch  where Failure.isCancellation(error) && desk.received == nil && deadline != nil {
            var failure = Failure(
                ExitStatus.incomplete,
                "the time limit was reached while the export waited for the database or for another export; the same command continues"
            )
            failure.summary = (error as? BrokenOffExport)?.summary
            throw failure
        }
    }

    func json(of failure: Failure) -> any Encodable & Sendable {
        FailedExport(failure, manifests: unfinished ? [] : manifests.manifest)
    }

    /// Seconds in which an export past its time limit may store what is in flight and close its books.
    private static let graceAfterDeadline: TimeInterval = 5

    /// About a minute, as for an API that does not answer any more.
    private static let tokenAttempts = 8

    private func options(requests: Int) -> ExportOptions {
        var options = ExportOptions()
        options.concurrency = requests
        options.budgetShare = budgetShare
        options.maxWait = maxWait.duration
        options.refetch = refetch
        options.adopt = adopt
        options.keepRaw = keepRaw
        options.retryFailedPages = retryFailedPages
        options.failOn = failOn.outcomes
        options.failOnTruncated = failOn.truncated
        options.failOnRejects = failOn.rejects
        options.allow = allow?.outcomes ?? []
        return options
    }
}
