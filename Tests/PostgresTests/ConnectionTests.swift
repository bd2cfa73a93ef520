import Foundation
import Postgres
import Support
import Testing

@Suite("A connection and its session")
struct ConnectionTests {
    @Test("A session is set up alike whatever the user's own settings, and nothing but pg_catalog is searched")
    func settings() async throws {
        let connection = try await TestServer.connect()
        let row = try await connection.query(
            """
            select current_setting('TimeZone') as zone, current_setting('DateStyle') as dates,
                   current_setting('search_path') as path, current_setting('client_encoding') as encoding,
                   current_setting('application_name') as name, pg_backend_pid() as pid
            """)[0]
        #expect(try row.decode("zone", as: String.self) == "UTC")
        #expect(try row.decode("dates", as: String.self) == "ISO, MDY")
        #expect(try row.decode("path", as: String.self) == "pg_catalog")
        #expect(try row.decode("encoding", as: String.self) == "UTF8")
        #expect(try row.decode("name", as: String.self) == "stored-actions")
        #expect(try row.decode("pid", as: Int.self) == Int(connection.backend.pid))
        let searching = try await TestServer.connect(searchPath: "public, pg_catalog")
        let path = try await searching.query("select current_setting('search_path') as path")[0]
        #expect(try path.decode("path", as: String.self) == "public, pg_catalog")
    }

    @Test("A session sets for itself what it depends on, whatever the connection, the role or the database say")
    func dependencies() async throws {
        _ = try TestServer()
        let options = [
            "idle_session_timeout=10s", "idle_in_transaction_session_timeout=10s", "synchronous_commit=off",
            "default_transaction_isolation=serializable", "statement_timeout=70s",
        ].map { "-c \($0)" }.joined(separator: " ")
        let connection = try await PostgresConnection(
            PostgresConfiguration(connectionString: "options='\(options)'"))
        func shown(_ name: String) async throws -> String {
            try await connection.query("select current_setting($1) as value", [.text(name)])[0].decode("value")
        }
        #expect(try await shown("idle_session_timeout") == "0")
        #expect(try await shown("idle_in_transaction_session_timeout") == "10min")
        #expect(try await shown("synchronous_commit") == "on")
        #expect(try await shown("transaction_isolation") == "read committed")
        // The user's own wish for this program.
        #expect(try await shown("statement_timeout") == "70s")
    }

    @Test("A time limit of the whole server is for others; one of the role or the database holds here, too")
    func limitsOfTheServer() async throws {
        try await PrivateCluster.with { cluster in
            let first = try await PostgresConnection(cluster.configuration)
            try await first.execute(script: "alter system set statement_timeout = '20s'")
            try await first.execute(script: "alter system set lock_timeout = '21s'")
            try await first.execute(script: "alter system set synchronous_commit = off")
            try await first.execute(script: "alter role postgres set lock_timeout = '22s'")
            await first.close()
            try await offThePool {
                try cluster.stop()
                try cluster.start()
            }
            let connection = try await PostgresConnection(cluster.configuration)
            let row = try await connection.query(
                """
                select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
                       current_setting('synchronous_commit') as commit
                """)[0]
            #expect(try row.decode("statement", as: String.self) == "0")
            #expect(try row.decode("lock", as: String.self) == "22s")
            #expect(try row.decode("commit", as: String.self) == "on")
            await connection.close()
        }
    }

    @Test("What the user's connection string names wins over the defaults, the encoding excepted")
    func connectionStringWins() async throws {
        _ = try TestServer()
        let connection = try await PostgresConnection(
            PostgresConfiguration(connectionString: "application_name=mine client_encoding=LATIN1"))
        let row = try await connection.query(
            "select current_setting('application_name') as name, current_setting('client_encoding') as encoding")[0]
        #expect(try row.decode("name", as: String.self) == "mine")
        #expect(try row.decode("encoding", as: String.self) == "UTF8")
    }

    @Test("Statements that wait in the server keep no thread of Swift's pool", .timeLimit(.minutes(2)))
    func blockingCalls() async throws {
        let holder = try await TestServer.connect()
        let key = PostgresParameter.int(Int.random(in: 1...Int.max))
        _ = try await holder.query("select pg_advisory_lock($1)", [key])
        try await withThrowingTaskGroup(of: Void.self) { group in
            let waiting = 2 * ProcessInfo.processInfo.activeProcessorCount
            for _ in 0..<waiting {
                let connection = try await TestServer.connect()
                group.addTask { _ = try await connection.query("select pg_advisory_lock_shared($1)", [key]) }
                group.addTask {
                    try await wait(
                        until: "exists (select from pg_locks where pid = $1 and locktype = 'advisory' and not granted)",
                        [.int(Int(connection.backend.pid))])
                }
            }
            for _ in 0..<waiting { try await group.next() }
            _ = try await holder.query("select pg_advisory_unlock($1)", [key])
            try await group.waitForAll()
        }
    }

    @Test("A closed connection refuses work")
    func closed() async throws {
        let connection = try await TestServer.connect()
        #expect(await connection.isUsable)
        await connection.close()
        #expect(await !connection.isUsable)
        #expect(try await failure { try await connection.query("select 1") }.kind == .connectionLost)
    }

    @Test("A connection whose server process was ended says so and is not used again")
    func terminated() async throws {
        let connection = try await TestServer.connect()
        let other = try await TestServer.connect()
        _ = try await other.query("select pg_terminate_backend($1::int, 5000)", [.int(Int(connection.backend.pid))])
        let error = try await failure { try await connection.query("select 1") }
        #expect([.shutdown, .connectionLost].contains(error.kind))
        #expect(await !connection.isUsable)
    }

    @Test(
        "COPY outside of a transaction's own is refused, and the connection survives",
        arguments: ["to stdout", "from stdin"])
    func foreignCopy(direction: String) async throws {
        let connection = try await TestServer.connect()
        try await connection.execute(script: "create temp table t (a int); insert into t values (1)")
        #expect(try await failure { try await connection.query("copy pg_temp.t \(direction)") }.kind == .other)
        #expect(try await connection.query("select a from pg_temp.t").count == 1)
    }

    @Test("A body's rows are there after its commit, with the value it returned")
    func commit() async throws {
        try await TestServer.withDatabase { configuration in
            let connection = try await PostgresConnection(configuration)
            try await connection.execute(script: "create table public.t (a int)")
            let value = try await connection.transaction { transaction in
                _ = try transaction.query("insert into public.t values ($1::int)", [.int(1)])
                return try transaction.query("select a from public.t")[0].decode("a", as: Int.self)
            }
            #expect(value == 1)
            let other = try await PostgresConnection(configuration)
            #expect(try await other.query("select a from public.t").count == 1)
        }
    }

    @Test("A body that throws leaves nothing behind and a connection that works")
    func rollback() async throws {
        struct Refusal: Error {}
        let connection = try await TestServer.connect()
        try await connection.execute(script: "create temp table t (a int)")
        await #expect(throws: Refusal.self) {
            try await connection.transaction { transaction in
                try transaction.execute(script: "insert into pg_temp.t values (1)")
                throw Refusal()
            }
        }
        #expect(try await connection.query("select a from pg_temp.t").isEmpty)
        #expect(await connection.isUsable)
    }

    @Test("A body that swallowed an error is not taken for committed")
    func swallowedError() async throws {
        let connection = try await TestServer.connect()
        try await connection.execute(script: "create temp table t (a int)")
        let error = try await failure {
            try await connection.transaction { transaction in
                try transaction.execute(script: "insert into pg_temp.t values (1)")
                _ = try? transaction.query("select 1 / 0")
            }
        }
        #expect(error.kind == .other)
        #expect(try await connection.query("select a from pg_temp.t").isEmpty)
    }

    @Test(
        "A body that ends its own transaction gets an error that says so",
        arguments: ["commit", "rollback", "begin; commit"])
    func endedByItsBody(script: String) async throws {
        let connection = try await TestServer.connect()
        let error = try await failure {
            try await connection.transaction { transaction in try transaction.execute(script: script) }
        }
        #expect(error.description.contains("ended the transaction"))
        #expect(await connection.isUsable)
    }

    @Test("A COMMIT that the server refuses is an error of its own kind, for its end is known")
    func refusedCommit() async throws {
        let connection = try await TestServer.connect()
        try await connection.execute(script: "create temp table t (a int unique deferrable initially deferred)")
        let error = try await failure {
            try await connection.transaction { transaction in
                try transaction.execute(script: "insert into pg_temp.t values (1), (1)")
            }
        }
        #expect(error.kind == .data && error.sqlstate == "23505")
        #expect(await connection.isUsable)
    }
}
