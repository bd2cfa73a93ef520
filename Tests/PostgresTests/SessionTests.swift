import Foundation
import Postgres
import Support
import Synchronization
import Testing

@Suite("A session that comes back")
struct SessionTests {
    @Test("Queries and transactions go on after the server crashed and started again; each connect is announced")
    func restart() async throws {
        try await PrivateCluster.with { cluster in
            let connects = Counter()
            // The server is down until the session has waited three times.
            let clock = ScriptedClock { number in if number % 3 == 0 { try cluster.start() } }
            let session = PostgresSession(cluster.configuration, clock: clock) { _ in connects.increment() }
            _ = try await session.query("create table public.t (a int primary key)")
            #expect(connects.value == 1)

            try cluster.crash()
            let rows = try await session.query("select a from public.t")
            #expect(rows.isEmpty)
            #expect(clock.slept == [.milliseconds(100), .milliseconds(200), .milliseconds(400)])
            #expect(connects.value == 2)

            let runs = Counter()
            try await session.transaction { transaction in
                _ = try transaction.query("insert into public.t values ($1::int)", [.int(1)])
                if runs.increment() == 1 { try cluster.stop() }
                _ = try transaction.query("insert into public.t values ($1::int)", [.int(2)])
            } wasCommitted: { _ in
                Issue.record("a connection lost before COMMIT needs no looking up")
                return false
            }
            #expect(runs.value == 2)
            #expect(connects.value == 3)
            #expect(try await session.query("select a from public.t order by a").map { try $0.decode("a") } == [1, 2])
            await session.close()
            #expect(try await failure { try await session.query("select 1") }.kind == .other)
        }
    }

    @Test("A lost connection is reported to an observer once, and so is the next one")
    func observed() async throws {
        try await PrivateCluster.with { cluster in
            let observer = Observer()
            let session = PostgresSession(cluster.configuration, observer: observer)
            _ = try await session.query("select 1")
            #expect(observer.told == [])
            try cluster.crash()
            try cluster.start()
            _ = try await session.query("select 1")
            #expect(observer.told == ["lost", "connected"])
            await session.close()
        }
    }

    @Test("A statement that waits, and its end, are reported to an observer")
    func slow() async throws {
        try await TestServer.withDatabase { configuration in
            let holder = try await PostgresConnection(configuration)
            try await holder.execute(script: "create table public.t (a int)")
            let (held, hold) = AsyncStream.makeStream(of: Void.self)
            let locker = Task {
                try await holder.transaction { transaction in
                    try transaction.execute(script: "lock table public.t")
                    hold.finish()
                    _ = try transaction.query("select pg_sleep(600)")
                }
            }
            for await _ in held {}
            // Two sleeps of the watch pass at once, the third one lets go of the lock.
            let clock = ScriptedClock { number in
                if number == 3 { locker.cancel() }
                if number > 3 { try await Task.sleep(for: .seconds(60)) }
            }
            let observer = Observer()
            let session = PostgresSession(configuration, clock: clock, observer: observer)
            _ = try await session.query("select a from public.t")
            #expect(observer.told.first == "waiting 5")
            #expect(observer.told.last?.hasPrefix("waited") == true)
            _ = await locker.result
            await session.close()
        }
    }

    @Test("A connection lost during COMMIT is reported to an observer, and so is the next one")
    func observedCommit() async throws {
        let proxy = try FaultyProxy(before: TestServer(), faults: [.answerLost])
        defer { proxy.close() }
        let observer = Observer()
        let session = PostgresSession(
            PostgresConfiguration(connectionString: "host=127.0.0.1 port=\(proxy.port)"), observer: observer)
        try await session.transaction {
            try $0.execute(script: "select 1")
        } wasCommitted: { _ in
            true
        }
        #expect(observer.told == ["lost", "connected"])
        await session.close()
    }

    /// What an observer was told, in words.
    private final class Observer: PostgresSessionObserver {
        private let words = Mutex<[String]>([])
        var told: [String] { words.withLock { $0 } }

        func lost(_ error: PostgresError) { words.withLock { $0.append("lost") } }
        func connected(after time: Duration) { words.withLock { $0.append("connected") } }
        func isWaiting(_ pid: Int32, for time: Duration) async {
            words.withLock { $0.append("waiting \(time.components.seconds)") }
        }
        func hasWaited(for time: Duration) async {
            words.withLock { $0.append("waited \(time.components.seconds)") }
        }
    }

    @Test("A server that does not come back is given up after the policy's time")
    func givesUp() async throws {
        let (socket, port) = try FaultyProxy.listen()
        close(socket)
        let clock = ScriptedClock()
        let session = PostgresSession(
            PostgresConfiguration(connectionString: "host=127.0.0.1 port=\(port)"),
            reconnect: ReconnectPolicy(timeLimit: .seconds(1)), clock: clock)
        #expect(try await failure { try await session.query("select 1") }.kind == .unreachable)
        #expect(clock.slept == [.milliseconds(100), .milliseconds(200), .milliseconds(400)])
    }

    @Test("A server that has no connection left is waited for at the start as later")
    func busyAtStart() async throws {
        let short = ReconnectPolicy(timeLimit: .milliseconds(100))
        let clock = ScriptedClock()
        try await withRole("connection limit 0") { role in
            let tired = PostgresSession(
                PostgresConfiguration(connectionString: "user=\(role)"),
                reconnect: ReconnectPolicy(timeLimit: .seconds(1)), firstConnect: short, clock: clock)
            let error = try await failure { try await tired.query("select 1") }
            #expect(error.sqlstate == "53300")
        }
        #expect(clock.slept == [.milliseconds(100), .milliseconds(200), .milliseconds(400)])

        let (socket, port) = try FaultyProxy.listen()
        close(socket)
        let other = ScriptedClock()
        let wrong = PostgresSession(
            PostgresConfiguration(connectionString: "host=127.0.0.1 port=\(port)"),
            reconnect: ReconnectPolicy(timeLimit: .seconds(1)), firstConnect: short, clock: other)
        #expect(try await failure { try await wrong.query("select 1") }.kind == .unreachable)
        #expect(other.slept == [.milliseconds(100)])
    }

    @Test("What no waiting mends is reported at once")
    func finalErrors() async throws {
        _ = try TestServer()
        let clock = ScriptedClock()
        let session = PostgresSession(
            PostgresConfiguration(connectionString: "dbname=no_such_database"), clock: clock)
        #expect(try await failure { try await session.query("select 1") }.sqlstate == "3D000")
        #expect(clock.slept == [])
    }

    @Test(
        "A COMMIT whose answer or whose command was lost takes effect exactly once", .timeLimit(.minutes(2)),
        arguments: [(FaultyProxy.Fault.answerLost, 1), (.commandLost, 2)])
    func lostCommit(fault: FaultyProxy.Fault, expectedRuns: Int) async throws {
        try await TestServer.withDatabase { configuration in
            let proxy = try FaultyProxy(before: TestServer(), faults: [fault])
            defer { proxy.close() }
            let direct = try await PostgresConnection(configuration)
            try await direct.execute(script: "create table public.t (id uuid primary key, run int)")
            let string = "host=127.0.0.1 port=\(proxy.port) \(configuration.connectionString ?? "")"
            let session = PostgresSession(
                PostgresConfiguration(connectionString: string), clock: ScriptedClock())
            let marker = UUID()
            let runs = Counter()
            // The key makes the second run wait for the first one's server process, if that still lives.
            let result = try await session.transaction { transaction in
                let run = runs.increment()
                _ = try transaction.query(
                    "insert into public.t values ($1, $2::int)", [.uuid(marker), .int(run)])
                return run
            } wasCommitted: { transaction in
                try transaction.query("select run from public.t where id = $1", [.uuid(marker)]).count == 1
            }
            #expect(runs.value == expectedRuns)
            #expect(result == expectedRuns)
            let stored = try await direct.query("select run from public.t")
            #expect(try stored.map { try $0.decode("run", as: Int.self) } == [expectedRuns])
            await session.close()
        }
    }

    @Test("Without a session a lost COMMIT is reported as one of unknown end")
    func unknownCommit() async throws {
        let server = try TestServer()
        let proxy = try FaultyProxy(before: server, faults: [.answerLost])
        defer { proxy.close() }
        let connection = try await PostgresConnection(
            PostgresConfiguration(connectionString: "host=127.0.0.1 port=\(proxy.port)"))
        let error = try await failure { try await connection.transaction { try $0.execute(script: "select 1") } }
        #expect(error.kind == .commitUnknown)
        #expect(await !connection.isUsable)
    }

    @Test("A transaction that met a conflict is run again, at most as often as the policy says")
    func conflicts() async throws {
        try await TestServer.withDatabase { configuration in
            let session = PostgresSession(
                configuration, reconnect: ReconnectPolicy(conflicts: 2), clock: ScriptedClock())
            let runs = Counter()
            let result = try await session.transaction { transaction in
                if runs.increment() <= 2 { try transaction.execute(script: Self.raiseConflict) }
                return runs.value
            } wasCommitted: { _ in
                false
            }
            #expect(result == 3)
            let error = try await failure {
                try await session.transaction {
                    try $0.execute(script: Self.raiseConflict)
                } wasCommitted: { _ in
                    false
                }
            }
            #expect(error.sqlstate == "40001")
            await session.close()
        }
    }

    private static let raiseConflict = "do $$ begin raise exception 'again' using errcode = '40001'; end $$"

    @Test("A session lock that the lost connection held is free again when the next one takes it")
    func sessionLocks() async throws {
        let server = try TestServer()
        let proxy = try FaultyProxy(before: server, faults: [.commandLost])
        defer { proxy.close() }
        let key = Int.random(in: 1...Int.max)
        let session = PostgresSession(
            PostgresConfiguration(connectionString: "host=127.0.0.1 port=\(proxy.port)"),
            reconnect: ReconnectPolicy(timeLimit: .zero), clock: ScriptedClock()
        ) { connection in
            let row = try await connection.query("select pg_try_advisory_lock($1) as taken", [.int(key)])[0]
            #expect(try row.decode("taken", as: Bool.self))
        }
        // The server is not told that its client has gone, so it would keep the lock.
        try await session.transaction {
            try $0.execute(script: "select 1")
        } wasCommitted: { _ in
            true
        }
        #expect(try await session.query("select 1").count == 1)
        await session.close()
    }

    @Test("Several callers share one new connection")
    func sharedConnection() async throws {
        _ = try TestServer()
        let connects = Counter()
        let session = PostgresSession(PostgresConfiguration(), clock: ScriptedClock()) { _ in connects.increment() }
        let pids = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask { try await session.query("select pg_backend_pid() as pid")[0].decode("pid") }
            }
            return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        #expect(pids.count == 1)
        #expect(connects.value == 1)
        await session.close()
    }
}
