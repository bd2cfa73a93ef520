import Foundation
import Postgres

extension ExportHistory {
    /// Another session holds a lock that blocks reads of a table.
    package struct Locked: Error, Sendable {
        package var error: PostgresError
        /// The session and the table, if they could be found.
        package var blocker: (process: ServerProcess, table: String)?
    }

    /// - Parameters:
    ///   - id: of one export, whose runs and chains alone are looked at; nil: all.
    ///   - account: whose exports, runs and chains are looked at.
    /// - Throws: `Locked`, `SchemaProblem`, `PostgresError`.
    package static func read(
        export id: Int?, account: ZapierAccount, migrator: Migrator, session: PostgresSession
    ) async throws -> ExportHistory {
        do {
            return try await session.transaction(lockLimit: .seconds(2)) { transaction in
                var history = ExportHistory()
                history.newerSchema = try migrator.requireReadable(in: transaction)
                try history.read(export: id, account: account, transaction)
                return history
            } wasCommitted: { _ in
                true
            }
        } catch let error as PostgresError where error.kind == .lockNotAvailable {
            throw Locked(error: error, blocker: try await blocker(session))
        }
    }

    private static func blocker(_ session: PostgresSession) async throws -> (ServerProcess, String)? {
        let rows = try await session.query(
            """
            select c.relname::text as relation, l.pid, \(ServerProcess.columns)
              from pg_locks l
              join pg_class c on c.oid = l.relation
              join pg_namespace n on n.oid = c.relnamespace
              left join pg_stat_activity a on a.pid = l.pid
             where l.granted and l.mode = 'AccessExclusiveLock' and n.nspname = 'stored_actions' and c.relkind = 'r'
               and l.database = (select d.oid from pg_database d where d.datname = current_database())
             order by a.xact_start
             limit 1
            """)
        return try rows.first.map { (try ServerProcess($0), try $0.decode("relation")) }
    }

    private mutating func read(
        export id: Int?, account: ZapierAccount, _ transaction: borrowing PostgresTransaction
    ) throws {
        exports = try HistoryStore.exports(id: id, account: account, in: transaction)
        locks = try HistoryStore.lockHolders(of: account, in: transaction)
        for index in exports.indices where exports[index].outcome == "running" {
            let exportID = exports[index].exportID
            exports[index].isAlive = locks.contains { $0.exportID == exportID }
        }
        if let times = try HistoryStore.times(ofExport: id, account: account, in: transaction) {
            (apiAnsweredAt, readAt) = times
        }
        left = try HistoryStore.left(ofExport: id, account: account, at: readAt, in: transaction)
    }
}
