import Foundation

/// What every session is given before first use, whatever the server, the database or the role say.
struct SessionSetUp {
    let backend: PostgresConnection.Backend
    let limits: SessionLimits

    /// A session that holds a lock is idle while an API is slow, so nothing may end it for that. A transaction is not:
    /// its body does not wait, so one that is idle for minutes is a process that was stopped.
    init(_ statements: Statements, searchPath: String, applicationName: String) throws(PostgresError) {
        // Until the search path is set, every name is qualified, operators too: a database's owner sets where they are
        // looked for.
        let mark = Int64.random(in: .min ... .max)
        let rows = try statements.query(
            """
            select pg_catalog.set_config('search_path', $1, false),
                   pg_catalog.set_config('application_name', $2, false),
                   pg_catalog.set_config('TimeZone', 'UTC', false),
                   pg_catalog.set_config('DateStyle', 'ISO, MDY', false),
                   pg_catalog.set_config('IntervalStyle', 'postgres', false),
                   pg_catalog.set_config('standard_conforming_strings', 'on', false),
                   pg_catalog.set_config('default_transaction_isolation', 'read committed', false),
                   pg_catalog.set_config('idle_session_timeout', '0', false),
                   pg_catalog.set_config('idle_in_transaction_session_timeout', '10min', false),
                   pg_catalog.pg_advisory_lock_shared($3),
                   pg_catalog.pg_backend_pid() as pid,
                   (select activity.backend_start
                      from pg_catalog.pg_stat_activity activity
                     where activity.pid operator(pg_catalog.=) pg_catalog.pg_backend_pid()) as started_at
            """, [.text(searchPath), .text(applicationName), .int(Int(mark))], operation: Self.operation)
        guard let row = rows.first else { throw PostgresConnection.cancelled("connect") }
        backend = PostgresConnection.Backend(
            pid: Int32(clamping: try row.decode("pid", as: Int.self)),
            startedAt: try row.decode("started_at", as: Date?.self), mark: mark)
        limits = try Self.limits(statements)
    }

    /// Limits set for the database, the role or the connection stay, for they are meant for this program.
    /// Those of the whole server are for everybody, and go: what a statement of an export waits for is not known
    /// before.
    ///
    /// A commit that a crash of the server takes back is one that an export has counted: it is durable.
    private static func limits(_ statements: Statements) throws(PostgresError) -> SessionLimits {
        let rows = try statements.query(
            """
            select setting.name,
                   case when setting.name = 'synchronous_commit'
                        then pg_catalog.set_config(
                               setting.name, case setting.setting when 'off' then 'on' else setting.setting end, false)
                        when setting.source in ('database', 'user', 'database user', 'client')
                        then pg_catalog.current_setting(setting.name)
                        else pg_catalog.set_config(setting.name, '0', false) end as value
              from pg_catalog.pg_settings setting
             where setting.name in ('statement_timeout', 'lock_timeout', 'transaction_timeout', 'synchronous_commit')
            """, [], operation: operation)
        var values: [String: String] = [:]
        for row in rows { values[try row.decode("name")] = try row.decode("value", as: String.self) }
        return SessionLimits(values)
    }

    private static let operation = "set up the session"
}
