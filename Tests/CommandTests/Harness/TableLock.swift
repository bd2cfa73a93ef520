import Foundation
import Postgres
import Testing

/// An exclusive lock on a table that somebody else holds, until it is released.
struct TableLock: Sendable {
    /// The server process that holds it.
    let pid: String
    private let holder: Task<Void, any Error>
    private let table: String
    private let database: TestDatabase

    /// Takes the lock, and returns once it is held.
    init(on table: String, of stage: Stage) async throws {
        self.table = table
        database = stage.database
        let name = stage.database.name
        holder = Task {
            let connection = try await PostgresConnection(PostgresConfiguration(connectionString: "dbname=\(name)"))
            try await connection.transaction { transaction in
                try transaction.execute(script: "lock table stored_actions.\(table) in access exclusive mode")
                _ = try transaction.query("select pg_sleep(600)")
            }
        }
        let query = """
            select l.pid from pg_catalog.pg_locks l
             where l.relation = 'stored_actions.\(table)'::regclass and l.mode = 'AccessExclusiveLock' and l.granted
            """
        try await wait("the lock on \(table)") { try await stage.database.value(query) != nil }
        pid = try await stage.database.value(query) ?? ""
    }

    /// Whether a session waits for it.
    var isWaitedFor: Bool {
        get async throws {
            try await database.holds(
                """
                exists (select from pg_catalog.pg_locks
                         where relation = 'stored_actions.\(table)'::regclass and not granted)
                """)
        }
    }

    func release() async {
        holder.cancel()
        _ = await holder.result
    }
}
