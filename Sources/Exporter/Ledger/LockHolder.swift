import Foundation
import Postgres

/// Who holds the lock of a manifest's name, as the server and the export's own row tell.
package struct LockHolder: Sendable, Encodable, Equatable {
    /// The manifest's; `--unfinished` for the exports without one.
    package var name: String
    /// The export that runs under the lock; nil while it has no row yet.
    package var exportID: Int?
    /// Machine and process of that export.
    package var host: String?
    package var processID: Int?
    package var startedAt: Date?
    package var timeLimitAt: Date?
    package var progressAt: Date?
    /// The server's process for the session that holds the lock.
    package var serverProcess: Int
    package var client: String?
    package var application: String?
    /// When that session began; nil where the server does not show it to this role.
    package var connectedAt: Date?
    /// Why it does not seem to be at work any more, for people.
    package var hangs: String?

    private enum CodingKeys: String, CodingKey {
        case name
        case exportID = "export_id"
        case host
        case processID = "process_id"
        case startedAt = "started_at"
        case timeLimitAt = "time_limit_at"
        case progressAt = "progress_at"
        case serverProcess = "server_process"
        case client, application
        case connectedAt = "connected_at"
        case hangs
    }

    /// An export past its time limit ends within so many seconds.
    static let grace: TimeInterval = 5
    /// Without a commit for so long, an export hangs. One that waits for a rate window may take that long too: somebody
    /// should look at that one as well.
    static let patience: TimeInterval = 1800

    /// Why the holder does not seem to be at work any more; nil if it does, or if it cannot be told.
    func hang(at now: Date) -> String? {
        // A row that is older than the session may be that of a killed export that held the lock before.
        let isOwnRow = startedAt.map { $0 >= connectedAt ?? .distantPast } ?? false
        if isOwnRow, let timeLimitAt, now > timeLimitAt + Self.grace {
            return "its time limit was over at \(timeLimitAt.formatted(.iso8601))"
        }
        let sign = isOwnRow ? progressAt ?? startedAt : [progressAt, startedAt, connectedAt].compactMap { $0 }.max()
        guard let sign, now > sign + Self.patience else { return nil }
        return "it has stored nothing since \(sign.formatted(.iso8601))"
    }

    /// In a sentence: `on etl-1, process 4711, since 2026-11-20T09:30:00Z`.
    package var description: String {
        var parts: [String] = []
        if let host { parts.append("on \(host)") }
        if let processID { parts.append("process \(processID)") }
        if let start = startedAt ?? connectedAt { parts.append("since \(start.formatted(.iso8601))") }
        let client = client.map { " from \($0)" } ?? ""
        return (parts + ["server process \(serverProcess)\(client)"]).joined(separator: ", ")
    }
}

extension LockHolder {
    /// SQL: the holders of the locks that `parameters` names, with the server's present.
    static let query = """
        select n.name, l.pid, host(a.client_addr) as client, a.application_name, a.backend_start,
               e.export_id, e.host, e.process_id, e.started_at, e.time_limit_at, e.progress_at,
               clock_timestamp() as present
          from unnest($1::text[], $2::text[]) as n(name, lock_name)
         cross join lateral (select \(ExportLock.key("n.lock_name")) as key) k
          join pg_locks l
            on l.locktype = 'advisory' and l.granted and l.objsubid = 1
           and l.classid::bigint = (k.key >> 32) & 4294967295 and l.objid::bigint = k.key & 4294967295
           and l.database = (select d.oid from pg_database d where d.datname = current_database())
          left join pg_stat_activity a on a.pid = l.pid
          left join lateral (
               select x.export_id, x.host, x.process_id, x.started_at, x.time_limit_at, x.progress_at
                 from stored_actions.exports x
                where x.outcome = 'running' and x.account = $3
                  and case when n.name = \(ExportLock.nameOfUnfinished)
                           then not exists (select from stored_actions.export_manifests m
                                             where m.export_id = x.export_id)
                           else exists (select from stored_actions.export_manifests m
                                         where m.export_id = x.export_id and m.name = n.name) end
                order by x.export_id desc
                limit 1) e on true
         order by n.name
        """

    /// - Parameter names: of manifests of the account.
    static func parameters(_ names: [String], of account: ZapierAccount) -> [PostgresParameter] {
        [.texts(names), .texts(names.map { ExportLock.lockName($0, of: account) }), .text(account.name)]
    }

    init(_ row: PostgresRow) throws {
        let name: String = try row.decode("name")
        self.init(
            name: ExportLock.shown(name), exportID: try row.decode("export_id"), host: try row.decode("host"),
            processID: try row.decode("process_id"), startedAt: try row.decode("started_at"),
            timeLimitAt: try row.decode("time_limit_at"), progressAt: try row.decode("progress_at"),
            serverProcess: try row.decode("pid"), client: try row.decode("client"),
            application: try row.decode("application_name"), connectedAt: try row.decode("backend_start"))
        hangs = hang(at: try row.decode("present"))
    }
}
