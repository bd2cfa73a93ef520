import ActionsAPI
import ArgumentParser
import Exporter
import Foundation
import Postgres

struct Resolve: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Settles a page whose request got no answer: it is in doubt whether its run was started.",
        discussion: """
            An export never asks again for such a page by itself. Look into the account's history for a run of the \
            stored action at the time that the export's summary names; then say what you found, and call the export again.

            EXAMPLES
              stored-actions resolve --chain 20b00000-0003-4000-8000-000100000002 --not-sent
              stored-actions resolve --chain 20b00000-0003-4000-8000-000100000002 \
            --run-id 20b00000-0003-4001-8000-000100010002
            """)

    @Option(help: ArgumentHelp("The chain's root: the run that the manifest names.", valueName: "root-run-id"))
    var chain: UUID

    @Option(help: ArgumentHelp("The run was started; this is its ID.", valueName: "uuid"))
    var runID: UUID?

    @Flag(help: "No run was started: the next export asks for the page again.")
    var notSent = false

    @Option(
        help: ArgumentHelp("Needed only if several stored actions have a run of that ID.", valueName: "uuid"))
    var storedAction: UUID?

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

    mutating func validate() throws {
        guard (runID != nil) != notSent else {
            throw ValidationError("One of --run-id UUID and --not-sent says what became of the page.")
        }
    }

    func perform(_ console: Console, _ desk: SignalDesk) async throws -> Report {
        let configuration = try SettingSources(database: database).database().value
        let fate = runID.map { PageFate.started(runID: $0) } ?? .notSent
        do {
            let resolved = try await PostgresSession.withSession(configuration) { session in
                try await Migrator(toolVersion: toolVersion).requireUpToDate(on: session)
                return try await ChainResolution(session: session).resolve(
                    root: chain, of: storedAction, as: fate)
            }
            let found = runID.map { "is run \($0.lowercase)" } ?? "was not asked for"
            return Report(
                text:
                    "page \(resolved.pageNumber) of chain \(chain.lowercase) \(found): the next export of its manifest "
                    + "goes on with it",
                json: Result(
                    storedActionID: resolved.storedActionID.lowercase, rootRunID: chain.lowercase,
                    pageNumber: resolved.pageNumber, runID: runID?.lowercase))
        } catch let refusal as ChainResolution.Refusal {
            throw Failure(
                refusal.kind == .usage ? ExitStatus.usage : ExitStatus.incomplete, refusal.description)
        }
    }
}

extension UUID: @retroactive ExpressibleByArgument {
    /// Of 36 characters, in either case.
    public init?(argument: String) {
        guard argument.utf8.count == 36 else { return nil }
        self.init(uuidString: argument)
    }
}
