import Foundation
import Postgres

/// The holder of a manifest name's lock, from the server and from the export's own row.
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
    /// Why it does not seem to be at work any more; nil if it does, or if that cannot be determined.
    package var hang: Hang?

    package enum Hang: Sendable, Equatable, Encodable, CustomStringConvertible {
        case pastTimeLimit(Date)
        case idle(since: Date)

        package var description: String {
            switch self {
            case .pastTimeLimit(let date): "its time limit was over at \(date.formatted(.iso8601))"
            case .idle(let date): "it has stored nothing since \(date.formatted(.iso8601))"
            }
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(description)
        }
    }

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
        case hang = "hangs"
    }

    /// An export past its time limit ends within so many seconds.
    static let grace: TimeInterval = 5
    /// Without a commit for so long, an export hangs. One that waits for a rate window may take that long too: an
    /// operator should look at that one as well.
    static let patience: TimeInterval = 1800

    func hang(at now: Date) -> Hang? {
        // A row that is older than the session may be that of a killed export that held the lock before.
        let isOwnRow = startedAt.map { $0 >= connectedAt ?? .distantPast } ?? false
        if isOwnRow, let timeLimitAt, now > timeLimitAt + Self.grace {
            return .pastTimeLimit(timeLimitAt)
        }
        let sign = isOwnRow ? progressAt ?? startedAt : [progressAt, startedAt, connectedAt].compactMap { $0 }.max()
        guard let sign, now > sign + Self.patience else { return nil }
        return .idle(since: sign)
    }

    /// In a sentence: `on etl-1, process 4711, since 2026-11-20T09:30:00Z`.
    package var description: String {
        var parts: [String] = []
        if let host { parts.append("on \(host)") }
        if let processID { parts.append("process \(processID)") }
        if let start = startedAt ?? connectedAt { parts.append("since \(start.formatted(.iso8601))") }
        let process = ServerProcess(pid: serverProcess, client: client)
        return (parts + [process.shortDescription]).joined(separator: ", ")
    }
}

extension LockHolder {
    /// Of `SQL.lockHolders`.
    ///
    /// - Parameter names: of manifests of the account.
    static func parameters(_ names: [String], of account: ZapierAccount) -> [PostgresParameter] {
        [
            .texts(names), .texts(names.map { ExportLock.lockText($0, of: account) }), .text(account.name),
            .text(ExportLock.unfinished),
        ]
    }

    init(_ row: PostgresRow) throws {
        let name: String = try row.decode("name")
        self.init(
            name: ExportLock.shown(name), exportID: try row.decode("export_id"), host: try row.decode("host"),
            processID: try row.decode("process_id"), startedAt: try row.decode("started_at"),
            timeLimitAt: try row.decode("time_limit_at"), progressAt: try row.decode("progress_at"),
            serverProcess: try row.decode("pid"), client: try row.decode("client"),
            application: try row.decode("application_name"), connectedAt: try row.decode("backend_start"))
        hang = hang(at: try row.decode("present"))
    }
}
