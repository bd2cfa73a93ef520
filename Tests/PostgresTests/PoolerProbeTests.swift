import Synchronization
import Testing

@testable import Postgres

/// Poolers here are scripted; the tests of the commands run PgBouncer.
@Suite("The probe for a pooler")
struct PoolerProbeTests {
    private static let calm = PoolerProbe.Patience(second: .seconds(60), first: .seconds(60))

    /// The process that a connection to `server` is pinned to.
    private func pin(
        _ server: ScriptedServer, patience: PoolerProbe.Patience = Self.calm, settings: String = ""
    ) async throws -> Int32? {
        let configuration = server.configuration(settings)
        return try await offThePool { () throws -> Int32? in
            let isCancelled = Atomic(false)
            let handle = try ConnectionAttempt.open(configuration, isCancelled: isCancelled)
            guard let raw = handle.raw else { return nil }
            return try PoolerProbe.pin(raw, configuration, patience: patience, isCancelled: isCancelled)
        }
    }

    @Test(
        "A server that ends the session when it is asked for its process is tried again, and its reason is kept",
        arguments: [("57P01", .shutdown), ("57P02", .shutdown), ("08P01", .unreachable)]
            as [(String, PostgresError.Kind)])
    func endedSession(sqlstate: String, kind: PostgresError.Kind) async throws {
        let server = try ScriptedServer { _, _ in .end(sqlstate: sqlstate, message: "going down") }
        defer { server.close() }
        let clock = ScriptedClock()
        let session = PostgresSession(
            server.configuration(), reconnect: ReconnectPolicy(timeLimit: .seconds(1)), clock: clock)
        let error = try await failure { try await session.query("select 1") }
        #expect(error.kind == kind && error.sqlstate == sqlstate)
        #expect(error.message == "going down")
        #expect(clock.slept == [.milliseconds(100), .milliseconds(200), .milliseconds(400)])
    }

    @Test("A process that the second connection gets too is lent, and no transaction is begun there")
    func lentProcess() async throws {
        let begun = Counter()
        let server = try ScriptedServer { _, statement in
            if statement.hasPrefix("begin") { begun.increment() }
            return .row("42")
        }
        defer { server.close() }
        #expect(try await failure { try await pin(server) }.kind == .setting)
        #expect(begun.value == 0)
    }

    @Test("A pooler that answers a question and refuses a transaction lends a process for a statement")
    func statementMode() async throws {
        let server = try ScriptedServer { connection, statement in
            guard connection > 0 else { return .row("42") }
            guard statement.hasPrefix("begin") else { return .row("43") }
            return .end(sqlstate: "08P01", message: "transaction blocks not allowed in statement pooling mode")
        }
        defer { server.close() }
        #expect(try await failure { try await pin(server) }.kind == .setting)
    }

    @Test("A pool of one session that sends the second client away is no proof of a lent process")
    func queryWaitTimeout() async throws {
        let server = try ScriptedServer { connection, _ in
            connection == 0 ? .row("42") : .end(sqlstate: "08P01", message: "query_wait_timeout")
        }
        defer { server.close() }
        #expect(try await pin(server) == 42)
    }

    @Test("A pooler that falls silent is an outage, not a lent process")
    func silence() async throws {
        let asked = Counter()
        let server = try ScriptedServer { connection, statement in
            if connection > 0 { return statement == "rollback" ? .done : .row("43") }
            return asked.increment() == 1 ? .row("42") : .silence
        }
        defer { server.close() }
        let patience = PoolerProbe.Patience(second: .seconds(60), first: .seconds(1))
        #expect(try await failure { try await pin(server, patience: patience) }.kind == .unreachable)
    }

    @Test("The second connection is given up in time, whatever connect_timeout is set", .timeLimit(.minutes(1)))
    func connectTimeout() async throws {
        let server = try ScriptedServer(admitted: 1) { _, _ in .row("42") }
        defer { server.close() }
        let patience = PoolerProbe.Patience(second: .milliseconds(200), first: .seconds(60))
        #expect(try await pin(server, patience: patience, settings: "connect_timeout=0") == 42)
    }
}
