import Dispatch
import Foundation
import Postgres
import Support
import Testing

@Suite("Errors of a real server")
struct ServerErrorTests {
    @Test("A broken constraint comes with every field, and its value is not in the description")
    func fields() async throws {
        let connection = try await TestServer.connect()
        try await connection.execute(
            script: "create temp table t (name text constraint only_once primary key); insert into t values ('secret')")
        let error = try await failure {
            try await connection.query("insert into pg_temp.t values ($1)", [.text("secret")])
        }
        #expect(error.kind == .data)
        #expect(error.sqlstate == "23505")
        #expect(error.severity == "ERROR")
        #expect(error.table == "t")
        #expect(error.schema?.hasPrefix("pg_temp") == true)
        #expect(error.constraint == "only_once")
        #expect(error.detail?.contains("secret") == true)
        #expect(error.sourceRoutine != nil && error.sourceFile != nil && error.sourceLine != nil)
        #expect(error.description.contains("only_once") && error.description.contains("23505"))
        #expect(!error.description.contains("secret"))
    }

    @Test("A wrong value, a missing table, a missing right, a time limit and a lock each have their kind")
    func kinds() async throws {
        let connection = try await TestServer.connect()
        let value = try await failure { try await connection.query("select $1::uuid", [.text("secret")]) }
        #expect(value.kind == .data && value.sqlstate == "22P02")
        #expect(!value.description.contains("secret"))

        let missing = try await failure { try await connection.query("select 1 from nowhere") }
        #expect(missing.kind == .other && missing.sqlstate == "42P01" && missing.position == 15)

        let late = try await failure {
            try await connection.execute(script: "set statement_timeout = 1; select pg_sleep(30)")
        }
        #expect(late.kind == .timeLimit && late.sqlstate == "57014")
        #expect(await connection.isUsable)

        try await TestServer.withDatabase { configuration in
            let other = try await PostgresConnection(configuration)
            try await other.execute(script: "create table public.t (a int); insert into public.t values (1)")
            let role = "reader_\(UUID().uuidString)"
            try await other.execute(script: "create role \(quoteIdentifier(role)); set role \(quoteIdentifier(role))")
            let denied = try await failure { try await other.query("select a from public.t") }
            #expect(denied.kind == .permission && denied.sqlstate == "42501")
            try await other.execute(script: "reset role; drop role \(quoteIdentifier(role))")

            let second = try await PostgresConnection(configuration)
            let release = DispatchSemaphore(value: 0)
            async let holding: Void = other.transaction { transaction in
                try transaction.execute(script: "lock table public.t")
                release.wait()
            }
            try await wait(
                until: "exists (select from pg_locks where pid = $1 and mode = 'AccessExclusiveLock' and granted)",
                [.int(Int(other.backend.pid))])
            let locked = try await failure {
                try await second.execute(script: "set lock_timeout = 1; select a from public.t")
            }
            #expect(locked.kind == .lockNotAvailable && locked.sqlstate == "55P03")
            release.signal()
            try await holding
        }
    }

    @Test(
        "A limit that was set for the connection is named when it ends a statement",
        arguments: [("statement_timeout", "57014"), ("lock_timeout", "55P03")])
    func limits(setting: String, sqlstate: String) async throws {
        let holder = try await TestServer.connect()
        let key = PostgresParameter.int(Int.random(in: 1...Int.max))
        _ = try await holder.query("select pg_advisory_lock($1)", [key])
        let connection = try await PostgresConnection(
            PostgresConfiguration(connectionString: "options='-c \(setting)=200'"))
        let error = try await failure { try await connection.query("select pg_advisory_lock($1)", [key]) }
        #expect(error.kind == .timeLimit && error.sqlstate == sqlstate)
        #expect(error.timeLimit == "\(setting) = 200ms")
        #expect(error.description.contains("\(setting) = 200ms"))
        #expect(await connection.isUsable)
        await holder.close()
    }

    @Test("A limit that ends the session is named by its SQLSTATE")
    func limitsOfSessions() async throws {
        let connection = try await TestServer.connect()
        try await connection.execute(script: "set idle_in_transaction_session_timeout = 50")
        let gone = DispatchSemaphore(value: 0)
        async let error = failure {
            try await connection.transaction { transaction in
                try transaction.execute(script: "select 1")
                gone.wait()
                try transaction.execute(script: "select 1")
            }
        }
        try await wait(
            until: "not exists (select from pg_stat_activity where pid = $1)", [.int(Int(connection.backend.pid))])
        gone.signal()
        let told = try await error
        #expect(told.sqlstate == "25P03")
        #expect(told.timeLimit == "idle_in_transaction_session_timeout")
        #expect(told.kind == .connectionLost)
    }

    @Test("A transaction's own limit for locks replaces the session's, which is not named when it passes")
    func ownLockLimit() async throws {
        let holder = try await TestServer.connect()
        let key = PostgresParameter.int(Int.random(in: 1...Int.max))
        _ = try await holder.query("select pg_advisory_lock($1)", [key])
        let session = PostgresSession(PostgresConfiguration(connectionString: "options='-c lock_timeout=600s'"))
        let error = try await failure {
            try await session.transaction(lockLimit: .milliseconds(50)) { transaction in
                _ = try transaction.query("select pg_advisory_lock($1)", [key])
            } wasCommitted: { _ in
                false
            }
        }
        #expect(error.kind == .lockNotAvailable && error.sqlstate == "55P03")
        #expect(error.timeLimit == nil)
        let later = try await session.query("select current_setting('lock_timeout') as value")
        #expect(try later[0].decode("value", as: String.self) == "10min")
        await session.close()
        await holder.close()
    }

    @Test(
        "A parameter that the server does not take on connecting is a setting, and its value is not named",
        arguments: [
            ("-c nosuch=hunter2", "42704", "nosuch"), ("-c work_mem=hunter2", "22023", "work_mem"),
            ("hunter2", "42601", "-c name=value"), ("-c port=1", "55P02", "port"),
            ("--no-such-parameter=hunter2", "42704", "options"),
        ])
    func refusedOptions(options: String, sqlstate: String, told: String) async throws {
        _ = try TestServer()
        let error = try await failure {
            try await PostgresConnection(PostgresConfiguration(connectionString: "options='\(options)'"))
        }
        #expect(error.kind == .setting && error.sqlstate == sqlstate)
        #expect(error.description.contains("options") && error.description.contains(told))
        #expect(!error.description.contains("hunter2"))
    }

    @Test(
        "A parameter that only others may set is a setting",
        arguments: ["-c log_statement=none", "--log-statement=none"])
    func parametersOfOthers(options: String) async throws {
        try await withRole { role in
            let error = try await failure {
                try await PostgresConnection(
                    PostgresConfiguration(connectionString: "user=\(role) options='\(options)'"))
            }
            #expect(error.kind == .setting && error.sqlstate == "42501")
            #expect(error.description.contains("options") && error.description.contains("log_statement"))
        }
    }

    @Test(
        "A role that may not connect to the database gets an error that says so, with any parameters",
        arguments: ["", "-c work_mem=4MB"])
    func rightToConnect(options: String) async throws {
        try await TestServer.withDatabase { configuration in
            let owner = try await PostgresConnection(configuration)
            try await owner.execute(
                script: """
                    do $$ begin
                      execute format('revoke connect on database %I from public', current_database());
                    end $$
                    """)
            let database = configuration.connectionString ?? ""
            try await withRole { role in
                let error = try await failure {
                    try await PostgresConnection(
                        PostgresConfiguration(connectionString: "\(database) user=\(role) options='\(options)'"))
                }
                #expect(error.kind == .permission && error.sqlstate == "42501")
                #expect(error.message.contains("permission denied for database"))
            }
        }
    }

    @Test("A serialization failure and a deadlock are conflicts")
    func conflicts() async throws {
        try await TestServer.withDatabase { configuration in
            let first = try await PostgresConnection(configuration)
            let second = try await PostgresConnection(configuration)
            try await first.execute(
                script: "create table public.t (a int primary key, n int); insert into public.t values (1, 0), (2, 0)")
            let bySecond = DispatchSemaphore(value: 0)
            let byFirst = DispatchSemaphore(value: 0)

            async let serialized = failure {
                try await first.transaction { transaction in
                    try transaction.execute(
                        script: "set transaction isolation level repeatable read; select n from public.t")
                    byFirst.signal()
                    bySecond.wait()
                    try transaction.execute(script: "update public.t set n = n + 1 where a = 1")
                }
            }
            try await second.transaction { transaction in
                byFirst.wait()
                try transaction.execute(script: "update public.t set n = n + 1 where a = 1")
            }
            bySecond.signal()
            #expect(try await serialized.sqlstate == "40001")
            #expect(try await serialized.kind == .conflict)

            @Sendable func update(
                _ rows: [Int], with connection: PostgresConnection, meet: @escaping @Sendable () -> Void
            ) async -> PostgresError? {
                do {
                    try await connection.transaction { transaction in
                        try transaction.execute(script: "set local deadlock_timeout = 10")
                        try transaction.execute(script: "update public.t set n = 0 where a = \(rows[0])")
                        meet()
                        try transaction.execute(script: "update public.t set n = 0 where a = \(rows[1])")
                    }
                    return nil
                } catch { return error as? PostgresError }
            }
            async let one = update([1, 2], with: first) {
                byFirst.signal()
                bySecond.wait()
            }
            async let two = update([2, 1], with: second) {
                bySecond.signal()
                byFirst.wait()
            }
            let errors = await [one, two].compactMap(\.self)
            #expect(errors.count == 1)
            #expect(errors.first?.sqlstate == "40P01")
            #expect(errors.first?.kind == .conflict)
        }
    }

    @Test("A connection that is refused says why: no database, no role, no room")
    func refusedConnections() async throws {
        _ = try TestServer()
        func refusal(_ string: String) async throws -> PostgresError {
            try await failure { try await PostgresConnection(PostgresConfiguration(connectionString: string)) }
        }
        let database = try await refusal("dbname=no_such_database")
        #expect(database.sqlstate == "3D000" && database.kind == .other)
        #expect(database.message.contains(#"database "no_such_database" does not exist"#))
        #expect(!database.message.contains("3D000") && !database.message.contains("LOCATION"))

        let role = try await refusal("user=no_such_role")
        #expect(role.sqlstate == "28000" && role.kind == .authentication)

        try await withRole("connection limit 0") { role in
            let full = try await refusal("user=\(role)")
            #expect(full.sqlstate == "53300" && full.kind == .resources)
        }
    }

    @Test("Where nothing listens, the server is unreachable, and no password is named")
    func unreachable() async throws {
        let (socket, port) = try FaultyProxy.listen()
        close(socket)
        let string = "postgres://someone:hunter2-hunter2@127.0.0.1:\(port)/hunter2-hunter2"
        let error = try await failure {
            try await PostgresConnection(PostgresConfiguration(connectionString: string))
        }
        #expect(error.kind == .unreachable)
        #expect(error.isTransient)
        #expect(!error.description.contains("hunter2"))
    }

    @Test(
        "A connection string that cannot be read is refused without being shown",
        arguments: [
            "postgres://u:hunter2@[h/d", "password=hunter2 nonsense", "postgres://u:p@hunter2@h/d", "a\0hunter2",
        ])
    func connectionStrings(string: String) async throws {
        let error = try await failure {
            try await PostgresConnection(PostgresConfiguration(connectionString: string))
        }
        #expect(error.kind == .setting)
        #expect(!error.description.contains("ter2"))
    }

    @Test(
        "Pieces of a password that is not quoted are not named",
        arguments: ["password=my hunter=x", "sslpassword=my hunter=x"])
    func unquotedPasswords(string: String) async throws {
        let error = try await failure {
            try await PostgresConnection(PostgresConfiguration(connectionString: string))
        }
        #expect(error.kind == .setting)
        #expect(error.description.contains("single quotes"))
        #expect(!error.description.contains("hunter"))
    }

    @Test("A database in another encoding than UTF8 is refused")
    func encoding() async throws {
        try await TestServer.withDatabase(options: "encoding 'SQL_ASCII' template template0") { configuration in
            let error = try await failure { try await PostgresConnection(configuration) }
            #expect(error.description.contains("SQL_ASCII") && error.description.contains("UTF8"))
        }
    }
}
