import ArgumentParser

@main
struct StoredActions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stored-actions",
        abstract: "Exports the results of stored-action runs from the Actions API into PostgreSQL.",
        discussion: """
            The token comes from ZAPIER_ACCESS_TOKEN_FILE or ZAPIER_ACCESS_TOKEN, the database from DATABASE_URL or \
            libpq's PG* variables.

            EXAMPLE
              stored-actions export --manifest jobs/today.json
            """,
        version: toolVersion,
        subcommands: [Export.self, Validate.self, Check.self, Migrate.self, Status.self]
    )

    static func main() async {
        ignoreBrokenPipes()
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            // Not for --help and --version, which end by an error of status 0.
            if exitCode(for: error) == .validationFailure, CommandLine.arguments.contains("--json") {
                Console.shared.result(Failure(status: ExitCode.validationFailure.rawValue, message(for: error)).json)
            }
            exit(withError: error)
        }
    }
}

/// Version of this program, as `--version`, the User-Agent and the table `exports` tell it.
let toolVersion = "0.1.0"
