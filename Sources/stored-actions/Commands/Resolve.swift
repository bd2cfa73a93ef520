import ActionsAPI
import ArgumentParser
import Exporter
import Foundation
import Postgres

struct Resolve: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Settles pages whose request got no answer, or is missing from a restored database.",
        discussion: """
            An export never repeats such a request on its own. Check the account's run history for a run of the stored \
            action at the time that the export's summary names; then say what you found, and call the export again.

            After the database was restored to an earlier time, run this first, before any export: --restored-to puts \
            every chain that was open then in doubt, since pages may have been requested that the database has lost. \
            It works on one account: with several accounts, call it once for each (--account).

            EXAMPLES
              stored-actions resolve --chain 20b00000-0003-4000-8000-000100000002 --not-sent
              stored-actions resolve --chain 20b00000-0003-4000-8000-000100000002 \
            --run-id 20b00000-0003-4001-8000-000100010002
              stored-actions resolve --restored-to 2026-11-20T09:30:00Z --dry-run
            """)

    @Option(help: ArgumentHelp("The chain's root: the run that the manifest names.", valueName: "root-run-id"))
    var chain: UUID?

    @Option(help: ArgumentHelp("The run was started; this is its ID.", valueName: "uuid"))
    var runID: UUID?

    @Flag(help: "No run was started: the next export asks for the page again.")
    var notSent = false

    @Option(
        help: ArgumentHelp("Needed only if several stored actions have a run of that ID.", valueName: "uuid"))
    var storedAction: UUID?

    @Option(
        help: ArgumentHelp(
            "The database was restored to its state at this time: 2026-11-20T09:30:00Z.", valueName: "time"))
    var restoredTo: TimeArgument?

    @Flag(help: "With --restored-to: only list the chains that are affected.")
    var dryRun = false

    @OptionGroup var account: AccountOptions
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    private struct Result: Encodable {
        var exitStatus: Int32 = 0
        var storedActionID: String
        var rootRunID: String
        var pageNumber: Int
        var runID: String?

        enum CodingKeys: String, CodingKey {
            case exitStatus = "exit_status"
            case storedActionID = "stored_action_id"
            case rootRunID = "root_run_id"
            case pageNumber = "page_number"
            case runID = "run_id"
        }
    }

    private struct Restored: Encodable {
        var exitStatus: Int32 = 0
        var restoredTo: Date
        var dryRun: Bool
        var inDoubt: Int
        var later: Int
        var before: Int
        var ended: Int

        enum CodingKeys: String, CodingKey {
            case exitStatus = "exit_status"
            case restoredTo = "restored_to"
            case dryRun = "dry_run"
            case inDoubt = "chains_put_in_doubt"
            case later = "chains_in_doubt_later"
            case before = "chains_in_doubt_before"
            case ended = "chains_ended_early"
        }
    }

    mutating func validate() throws {
        guard restoredTo == nil else {
            if chain != nil || runID != nil || notSent || storedAction != nil {
                throw ValidationError(
                    "--restored-to concerns every chain: it goes without --chain and what settles one.")
            }
            return
        }
        if dryRun { throw ValidationError("--dry-run goes with --restored-to.") }
        guard chain != nil else {
            throw ValidationError("Missing expected argument '--chain <root-run-id>', or --restored-to.")
        }
        guard (runID != nil) != notSent else {
            throw ValidationError("One of --run-id UUID and --not-sent says what became of the page.")
        }
    }

    func perform(_ console: Console, _ desk: SignalDesk) async throws -> Report {
        let sources = SettingSources(database: database, account: account)
        let (configuration, owner) = (try sources.database().value, try sources.accountName().value)
        return try await PostgresSession.withSession(configuration) { session in
            try await Migrator(toolVersion: toolVersion).requireUpToDate(on: session)
            if let restoredTo { return try await putInDoubt(restoredTo: restoredTo.time, of: owner, session) }
            guard let chain else { throw Failure(ExitStatus.usage, "--chain is missing") }
            return try await settle(chain, of: owner, session)
        }
    }

    private func settle(_ chain: UUID, of account: ZapierAccount, _ session: PostgresSession) async throws -> Report {
        let fate = runID.map { PageFate.started(runID: $0) } ?? .notSent
        let resolved = try await ChainResolution(session: session, account: account)
            .resolve(root: chain, of: storedAction, as: fate)
        let found = runID.map { "is run \($0.lowercase)" } ?? "was not asked for"
        var text =
            "page \(resolved.pageNumber) of chain \(chain.lowercase) \(found): the next export of its manifest "
            + "goes on with it"
        if resolved.isNextInDoubt {
            text += "\nThe database was restored, so the page after it is in doubt as well; --not-sent ends that."
        }
        return Report(
            text: text,
            json: Result(
                storedActionID: resolved.storedActionID.lowercase, rootRunID: chain.lowercase,
                pageNumber: resolved.pageNumber, runID: runID?.lowercase))
    }

    private func putInDoubt(
        restoredTo time: Date, of account: ZapierAccount, _ session: PostgresSession
    ) async throws -> Report {
        let chains = RestoredChains(session: session, account: account)
        guard let report = try await chains.putInDoubt(restoredTo: time, dryRun: dryRun) else {
            throw Failure(ExitStatus.usage, "--restored-to: \(time.formatted(.iso8601)) has not come yet")
        }
        let result = Restored(
            restoredTo: time, dryRun: dryRun, inDoubt: report.inDoubt, later: report.later, before: report.before,
            ended: report.ended)
        return Report(text: text(report, restoredTo: time), json: result)
    }

    private func text(_ report: RestoredChains.Report, restoredTo time: Date) -> String {
        let (now, later) = dryRun ? ("would be put in doubt", "would be") : ("put in doubt", "are")
        var lines = [
            "\(count(report.inDoubt, "chain")) \(now): the next page may have been requested after \(time.formatted(.iso8601))"
        ]
        if report.later > 0 {
            lines.append("\(count(report.later, "chain")) \(later) in doubt once the page that is known is stored")
        }
        if report.before > 0 {
            lines.append("\(count(report.before, "chain")) in doubt before: the pages after that \(later) as well")
        }
        if report.ended > 0 {
            lines.append(
                "\(count(report.ended, "chain")) ended early: the next page \(later) in doubt if the chain goes on")
        }
        if report.inDoubt > 0, !dryRun { lines.append("stored-actions status names the commands that settle each") }
        return lines.joined(separator: "\n")
    }
}

extension UUID: @retroactive ExpressibleByArgument {
    /// Of 36 characters, in either case.
    public init?(argument: String) {
        guard argument.utf8.count == 36 else { return nil }
        self.init(uuidString: argument)
    }
}
