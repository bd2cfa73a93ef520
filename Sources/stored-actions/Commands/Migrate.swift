import ArgumentParser
import Exporter
import Postgres

struct Migrate: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Brings the database's schema up to date.",
        discussion: """
            With --check nothing is changed: exit status 0 says that the schema is up to date, 75 that there is \
            something to do.

            EXAMPLE
              stored-actions migrate
            """)

    @Flag(help: "Only tell what is to be done, and by the exit status whether anything is.")
    var check = false

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    private struct Result: Encodable {
        var exitStatus: Int32
        var applied: [String]
        var pending: [String]

        enum CodingKeys: String, CodingKey {
            case exitStatus = "exit_status"
            case applied, pending
        }
    }

    func perform(_ console: Console, _ desk: SignalDesk) async throws -> Report {
        let configuration = try SettingSources(database: database).database().value
        return try await PostgresSession.withSession(configuration) { session in
            let migrator = Migrator(toolVersion: toolVersion)
            if check {
                let pending = try await migrator.pending(on: session).map { "\($0.version) (\($0.name))" }
                let status = pending.isEmpty ? ExitStatus.complete : ExitStatus.incomplete
                return Report(
                    text: pending.isEmpty
                        ? "the schema is up to date"
                        : "to be applied: " + pending.joined(separator: ", ") + "; run stored-actions migrate",
                    json: Result(exitStatus: status, applied: [], pending: pending), exitStatus: status)
            }
            let applied = try await migrator.migrate(on: session).map { "\($0.version) (\($0.name))" }
            return Report(
                text: applied.isEmpty
                    ? "the schema is up to date" : "applied: " + applied.joined(separator: ", "),
                json: Result(exitStatus: ExitStatus.complete, applied: applied, pending: []))
        }
    }
}
