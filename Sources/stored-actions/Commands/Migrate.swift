import ArgumentParser
import Exporter
import Postgres

struct Migrate: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Brings the database's schema up to date.",
        discussion: """
            With --check it changes nothing: exit status 0 says that the schema is up to date, 75 that there is \
            something to do.

            With --print-roles it prints SQL for psql that makes an owner, a loader and a reader, without a database.

            EXAMPLES
              stored-actions migrate
              stored-actions migrate --print-roles | psql --single-transaction --set ON_ERROR_STOP=1
            """)

    @Flag(help: "Only show what would be applied; the exit status says whether anything would be.")
    var check = false

    @Flag(help: "Only print SQL that makes roles with no more rights than each needs.")
    var printRoles = false

    @Option(help: ArgumentHelp("With --print-roles: the role that owns the schema.", valueName: "role"))
    var ownerRole: String?

    @Option(help: ArgumentHelp("With --print-roles: the role that exports run as.", valueName: "role"))
    var loaderRole: String?

    @Option(help: ArgumentHelp("With --print-roles: the role that may only read.", valueName: "role"))
    var readerRole: String?

    @Flag(help: "With --print-roles: the reader sees cursors and raw bodies too, which may hold secrets.")
    var readerSeesRaw = false

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    private var roles: Roles {
        var roles = Roles()
        if let ownerRole { roles.owner = ownerRole }
        if let loaderRole { roles.loader = loaderRole }
        if let readerRole { roles.reader = readerRole }
        roles.readerSeesRaw = readerSeesRaw
        return roles
    }

    mutating func validate() throws {
        guard printRoles else {
            if readerSeesRaw || [ownerRole, loaderRole, readerRole].contains(where: { $0 != nil }) {
                throw ValidationError(
                    "--owner-role, --loader-role, --reader-role and --reader-sees-raw go with --print-roles.")
            }
            return
        }
        if check { throw ValidationError("--print-roles goes without --check.") }
        if let problem = roles.problem { throw ValidationError(problem) }
    }

    private struct Result: Encodable {
        var exitStatus: Int32
        var applied: [String]
        var pending: [String]

        enum CodingKeys: String, CodingKey {
            case exitStatus = "exit_status"
            case applied, pending
        }
    }

    private struct PrintedRoles: Encodable {
        var exitStatus = ExitStatus.complete
        var sql: String

        enum CodingKeys: String, CodingKey {
            case exitStatus = "exit_status"
            case sql
        }
    }

    func perform(_ console: Console, _ desk: SignalDesk) async throws -> Report {
        if printRoles {
            let sql = roles.sql
            return Report(text: sql, json: PrintedRoles(sql: sql))
        }
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
