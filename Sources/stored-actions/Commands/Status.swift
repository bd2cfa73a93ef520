import ArgumentParser
import Exporter
import Foundation
import Postgres

struct Status: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Shows past exports and why they ended, what is left to do, and what expires next.",
        discussion: """
            Reads only, and waits at most two seconds for a lock. With --check the exit status says whether a \
            person has to act: 4 for pages in doubt, an export that hangs, or credentials or settings that ended the \
            newest export; 3 for parts of answers that PostgreSQL refused; 0 otherwise.

            EXAMPLES
              stored-actions status --export 12
              stored-actions status --check --quiet
            """)

    @Option(help: ArgumentHelp("Show this export alone.", valueName: "id"))
    var export: Int?

    @Flag(help: "Exit with 4 or 3 if something needs an operator.")
    var check = false

    @OptionGroup var account: AccountOptions
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    private struct Result: Encodable, Sendable {
        var exitStatus: Int32
        var account: String
        var attention: [String]
        var history: ExportHistory

        enum CodingKeys: String, CodingKey {
            case exitStatus = "exit_status"
            case account, attention
        }

        func encode(to encoder: any Encoder) throws {
            try HistoryJSON(history: history).encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(exitStatus, forKey: .exitStatus)
            try container.encode(account, forKey: .account)
            try container.encode(attention, forKey: .attention)
        }
    }

    mutating func validate() throws {
        if check, export != nil { throw ValidationError("--check looks at everything: it goes without --export.") }
    }

    func perform(_ console: Console, _ desk: SignalDesk) async throws -> Report {
        let sources = SettingSources(database: database, account: account)
        let (configuration, owner) = (try sources.database().value, try sources.accountName().value)
        let history = try await PostgresSession.withSession(configuration) { session in
            _ = try await SteadyClock().ofDatabase(on: session, logger: console.logger)
            return try await ExportHistory.read(
                export: export, account: owner, migrator: Migrator(toolVersion: toolVersion), session: session)
        }
        if let newer = history.newerSchema { console.logger.warning("\(newer.text)") }
        if let export, history.exports.isEmpty {
            throw Failure(
                ExitStatus.usage,
                "account \"\(owner.name)\" has no export \(export): stored-actions status\(account.repeated) lists them"
            )
        }
        let attention = Attention(history)
        let status = check ? attention.exitStatus : ExitStatus.complete
        let text = StatusText(
            history, attention: attention, ofOne: export != nil,
            settings: account.repeated + (database.databaseURL.map { " --database-url " + shellQuoted($0) } ?? ""))
        return Report(
            text: text.text,
            json: Result(exitStatus: status, account: owner.name, attention: attention.points, history: history),
            exitStatus: status)
    }
}
