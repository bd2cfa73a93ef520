import ActionsAPI
import Foundation
import Logging
import Postgres
import Synchronization

/// Writes to the log what happens to a connection to the database: one line when it is lost and one when it is back,
/// one when a statement waits for another session's lock and one when it waits no longer.
final class DatabaseLog: PostgresSessionObserver {
    private struct Wait {
        var isLogged = false
        /// How long the statement has to run before the database is asked again what it waits for: the question takes a
        /// connection of its own, and a statement may just be slow.
        var asksAfter = Duration.zero
    }

    private let database: PostgresConfiguration
    private let logger: Logger
    private let wait = Mutex(Wait())

    init(database: PostgresConfiguration, logger: Logger) {
        self.database = database
        self.logger = logger
    }

    func lost(_ error: PostgresError) {
        logger.warning("the connection to the database is lost, or cannot be made; trying to connect: \(error)")
    }

    func connected(after time: Duration) {
        logger.notice("connected to the database again, after \(Int(time.seconds.rounded())) s")
    }

    func isWaiting(_ pid: Int32, for time: Duration) async {
        let asks = wait.withLock { wait in
            guard !wait.isLogged, time >= wait.asksAfter else { return false }
            wait.asksAfter = time * 2
            return true
        }
        guard asks, let blocker = await blocker(of: pid) else { return }
        wait.withLock { $0.isLogged = true }
        logger.warning("waiting for a lock in the database that \(blocker) holds")
    }

    func hasWaited(for time: Duration) async {
        let wasLogged = wait.withLock { wait in
            defer { wait = Wait() }
            return wait.isLogged
        }
        if wasLogged { logger.notice("the lock in the database is free again, after about \(Int(time.seconds)) s") }
    }

    /// The session that blocks the server process; nil if none does, or if that cannot be determined.
    private func blocker(of pid: Int32) async -> String? {
        guard let connection = try? await PostgresConnection(database) else { return nil }
        let rows = try? await connection.query(
            """
            select b.pid, \(ServerProcess.columns)
              from unnest(pg_blocking_pids($1::int)) as b(pid)
              left join pg_stat_activity a on a.pid = b.pid
             limit 1
            """, [.int(Int(pid))])
        await connection.close()
        guard let row = rows?.first, let process = try? ServerProcess(row) else { return nil }
        return process.description + (process.transactionStart == nil ? "" : process.since + ",")
    }
}
