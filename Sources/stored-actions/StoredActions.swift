import ArgumentParser
import Dispatch
import Exporter

struct StoredActions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stored-actions",
        abstract: "Exports the results of stored-action runs from the Actions API into PostgreSQL.",
        discussion: """
            The token comes from ZAPIER_ACCESS_TOKEN_FILE or ZAPIER_ACCESS_TOKEN, or is asked for with ZAPIER_CLIENT_ID and \
            ZAPIER_CLIENT_SECRET_FILE, the database from DATABASE_URL or \
            libpq's PG* variables.

            EXAMPLE
              stored-actions export --manifest jobs/today.json
            """,
        version: toolVersion,
        subcommands: [Export.self, Validate.self, Check.self, Migrate.self, Status.self, Resolve.self, Prune.self]
    )

    /// Runs the call to its end.
    ///
    /// The parsing and the look at the limits of the process come before the first asynchronous step, for that one
    /// takes threads and descriptors, and ends the process by a trap where it gets none.
    static func start() {
        openStandardStreams()
        CoreDumps.forbid()
        LargeBlocks.returnAtOnce()
        muteCrashReports()
        ignoreWriteSignals()
        do {
            let command = try parseAsRoot()
            try (command as? any Verb)?.requireResources()
            Task { await run(command) }
        } catch {
            exit(after: error)
        }
        dispatchMain()
    }

    private static func run(_ command: any ParsableCommand) async {
        do {
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                var command = command
                try command.run()
            }
            exit()
        } catch {
            exit(after: error)
        }
    }

    private static func exit(after error: any Error) -> Never {
        // A subcommand that ends by a status has said what there is to say.
        exit(withError: error as? ExitCode ?? ExitCode(end(with: error)))
    }

    /// The subcommands do the work: a call that names none has nothing to do.
    func run() async throws {
        throw ValidationError(
            CommandLine.arguments.isEmpty
                ? "Nothing to do, because the arguments cannot be read: is /proc mounted?"
                : "Nothing to do: name a subcommand, as in the example of stored-actions --help.")
    }

    /// Prints what the argument parser has to say: help and the version on stdout, all else on stderr.
    ///
    /// - Returns: the exit status.
    private static func end(with error: any Error) -> Int32 {
        let console = Console()
        let code = exitCode(for: error)
        guard code == .validationFailure else {
            if code.isSuccess { return console.end(code.rawValue, printing: fullMessage(for: error)) }
            console.line(fullMessage(for: error))
            return code.rawValue
        }
        if CommandLine.arguments.contains("--json") {
            let json = Failure(ExitStatus.usage, redacted(message(for: error))).json
            _ = console.end(ExitStatus.usage, printingJSON: json)
        }
        console.line(redacted(fullMessage(for: error)))
        return ExitStatus.usage
    }

    /// A message of the argument parser's, which quotes what it does not expect: without what may be a connection
    /// string, and with each argument on one line.
    private static func redacted(_ message: String) -> String {
        let arguments = CommandLine.arguments.dropFirst()
        let plain = arguments.filter { $0.contains("@") || $0.contains("password") }
            .reduce(message) { $0.replacing($1, with: "[not shown]") }
        // Of --option=value the value alone is quoted.
        let quoted =
            arguments
            + arguments.compactMap { $0.split(separator: "=", maxSplits: 1).dropFirst().first.map(String.init) }
        return quoted.filter { $0 != $0.shownOnOneLine }.reduce(plain) { $0.replacing($1, with: $1.shownOnOneLine) }
    }
}

/// Version of this program, as in `--version`, the User-Agent and the table `exports`.
let toolVersion = "0.1.0"

@main
private enum EntryPoint {
    static func main() { StoredActions.start() }
}
