import Foundation
import Postgres
import Support
import Testing

@Suite("Cancelling the task")
struct CancellationTests {
    private static let isSleeping =
        "exists (select from pg_stat_activity where pid = $1 and wait_event = 'PgSleep')"

    @Test("ends the statement in the server, and the connection is closed")
    func query() async throws {
        let connection = try await TestServer.connect()
        let pid = PostgresParameter.int(Int(connection.backend.pid))
        let task = Task { try await connection.query("select pg_sleep(300)") }
        try await wait(until: Self.isSleeping, [pid])
        task.cancel()
        #expect(try await failure { try await task.value }.kind == .cancelled)
        #expect(await !connection.isUsable)
        try await wait(until: "not \(Self.isSleeping)", [pid])
    }

    @Test("in a transaction undoes it, even when the body swallows the error")
    func transaction() async throws {
        try await TestServer.withDatabase { configuration in
            let connection = try await PostgresConnection(configuration)
            try await connection.execute(script: "create table public.t (a int)")
            let task = Task {
                try await connection.transaction { transaction in
                    try transaction.execute(script: "insert into public.t values (1)")
                    _ = try? transaction.query("select pg_sleep(300)")
                }
            }
            try await wait(until: Self.isSleeping, [.int(Int(connection.backend.pid))])
            task.cancel()
            #expect(try await failure { try await task.value }.kind == .cancelled)
            #expect(await !connection.isUsable)
            let other = try await PostgresConnection(configuration)
            #expect(try await other.query("select a from public.t").isEmpty)
        }
    }

    @Test("before the call sends nothing and harms nothing")
    func beforehand() async throws {
        let connection = try await TestServer.connect()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await connection.query("select 1")
        }
        #expect(try await failure { try await task.value }.kind == .cancelled)
        #expect(await connection.isUsable)
    }

    @Test("gives up connecting to a server that accepts and says nothing; a time limit does too")
    func connecting() async throws {
        let (listener, port) = try FaultyProxy.listen()
        defer { close(listener) }
        let string = "host=127.0.0.1 port=\(port)"
        let task = Task {
            try await PostgresConnection(PostgresConfiguration(connectionString: string, connectTimeout: .seconds(300)))
        }
        task.cancel()
        #expect(try await failure { try await task.value }.kind == .cancelled)

        let limited = PostgresConfiguration(connectionString: string, connectTimeout: .milliseconds(1))
        let error = try await failure { try await PostgresConnection(limited) }
        #expect(error.kind == .unreachable)
    }
}
