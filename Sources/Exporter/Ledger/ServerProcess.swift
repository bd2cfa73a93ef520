import Foundation
import Postgres

/// One of the server's processes, with its description for people.
package struct ServerProcess: Sendable {
    package var pid: Int
    package var application: String?
    package var client: String?
    /// When its transaction began.
    package var transactionStart: Date?

    /// `server process 4711 (psql from 192.0.2.7)`.
    package var description: String {
        let who = [application.flatMap { $0.isEmpty ? nil : $0 }, client.map { "from \($0)" }].compactMap { $0 }
        return name + (who.isEmpty ? "" : " (\(who.joined(separator: " ")))")
    }

    /// `server process 4711 from 192.0.2.7`, for a sentence that names the application otherwise.
    var shortDescription: String { name + (client.map { " from \($0)" } ?? "") }

    /// `, since 2026-11-20T09:30:00Z`; empty where the server does not show it.
    package var since: String { transactionStart.map { ", since \($0.formatted(.iso8601))" } ?? "" }

    private var name: String { "server process \(pid)" }
}

extension ServerProcess {
    /// SQL over `a`, a row of `pg_stat_activity` that may be missing; `init(_:)` decodes these with `pid`.
    static let columns = "a.application_name, host(a.client_addr) as client, a.xact_start"

    init(_ row: PostgresRow) throws {
        self.init(
            pid: try row.decode("pid"), application: try row.decode("application_name"),
            client: try row.decode("client"), transactionStart: try row.decode("xact_start"))
    }
}
