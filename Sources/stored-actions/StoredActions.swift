import ArgumentParser
import Exporter

@main
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

    static func main() async {
        muteCrashReports()
        ignoreBrokenPipes()
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            // A subcommand that ended by an exit status has said what there is to say; --help and --version end by an
            // error of status 0.
            guard !(error is ExitCode), exitCode(for: error) == .validationFailure else { exit(withError: error) }
            let console = Console()
            if CommandLine.arguments.contains("--json") {
                console.result(Failure(ExitStatus.usage, redacted(message(for: error))).json)
            }
            console.line(redacted(fullMessage(for: error)))
            exit(withError: ExitCode.validationFailure)
        }
    }

    /// A message of the argument parser's, without what may be a connection string: it quotes what it does not expect.
    private static func redacted(_ message: String) -> String {
        CommandLine.arguments.dropFirst().filter { $0.contains("@") || $0.contains("password") }
            .reduce(message) { $0.replacing($1, with: "[not shown]") }
    }
}

/// Version of this program, as `--version`, the User-Agent and the table `exports` tell it.
let toolVersion = "0.1.0"
