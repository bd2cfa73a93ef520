import CLibPQ
import Foundation
import Synchronization

/// Finds out whether the server process behind a connection is this connection's own for as long as it lives.
///
/// A pooler in transaction mode lends a process for one transaction: session locks and settings then stay on processes
/// that others get next. It shows only in its behaviour. A connection that gets a process number from its start that is
/// not the server's own talks to a pooler; and of that it is asked whether another connection gets the same process, or
/// this one another process, while it is idle. Nothing is set meanwhile.
enum PoolerProbe {
    /// With more processes than one, which of them is lent next is the pooler's choice: the last one returned, the
    /// first, or any.
    private static let rounds = 3

    /// How long an answer is waited for.
    struct Patience: Sendable {
        /// The second connection's. It may have to wait for a process until the first connection goes.
        var second: Duration = .seconds(3)
        /// The first connection's, from a server that may be busy.
        var first: Duration = .seconds(30)
    }

    /// The number of the process that has to run all that this connection asks for; nil if it is connected directly.
    ///
    /// - Throws: of kind `setting` if a process is lent for a transaction only; what the server reports when it refuses
    ///   to answer, and of kind `unreachable` when the first connection gets no answer.
    static func pin(
        _ connection: OpaquePointer, _ configuration: PostgresConfiguration, patience: Patience = Patience(),
        isCancelled: borrowing Atomic<Bool>
    ) throws(PostgresError) -> Int32? {
        let pid = try process(of: connection, patience, isCancelled: isCancelled)
        if pid == PQbackendPID(connection) { return nil }
        let second: ConnectionHandle
        do throws(PostgresError) {
            second = try ConnectionAttempt.open(configuration, atMost: patience.second, isCancelled: isCancelled)
        } catch {
            if error.kind == .cancelled { throw error }
            // As where one connection is all that there may be: each transaction looks at its process.
            return pid
        }
        guard let raw = second.raw else { return pid }
        // The question alone comes first: a second client that gets no process for it, as after PgBouncer's
        // query_wait_timeout, proves nothing.
        guard case .value(let lent) = ask(raw, question, patience.second, isCancelled: isCancelled) else { return pid }
        if lent == pid { throw refusal }
        for _ in 0..<rounds {
            let answer = ask(raw, "begin; \(question)", patience.second, isCancelled: isCancelled)
            // PgBouncer's for all that it refuses; once the question was answered, it refuses a transaction in
            // statement mode.
            if case .refused(let error) = answer, error.sqlstate == "08P01" { throw refusal }
            guard case .value(let borrowed) = answer else { return pid }
            // The first connection is not asked while the second has its process: it would wait for it.
            let seen = borrowed == pid ? nil : ask(connection, question, patience.first, isCancelled: isCancelled)
            // Or the pooler would end a process whose transaction it cannot end.
            let end = ask(raw, "rollback", patience.second, isCancelled: isCancelled)
            guard let seen, try process(in: seen, isCancelled: isCancelled) == pid else { throw refusal }
            guard case .done = end else { return pid }
            for _ in 0..<2 {
                guard try process(of: connection, patience, isCancelled: isCancelled) == pid else { throw refusal }
            }
        }
        return pid
    }

    static var refusal: PostgresError {
        PostgresError(
            .setting, operation: "connect",
            message:
                "a pooler in transaction mode sits in front of the server: session locks and settings do not last "
                + "there and leak to other clients. Connect to the server itself, or to a pool in session mode "
                + "(PgBouncer: pool_mode = session)")
    }

    private static let question = "select pg_catalog.pg_backend_pid()"

    private static func process(
        of connection: OpaquePointer, _ patience: Patience, isCancelled: borrowing Atomic<Bool>
    ) throws(PostgresError) -> Int32 {
        let answer = ask(connection, question, patience.first, isCancelled: isCancelled)
        return try process(in: answer, isCancelled: isCancelled)
    }

    /// The process that the first connection's answer names.
    private static func process(
        in answer: Answer, isCancelled: borrowing Atomic<Bool>
    ) throws(PostgresError) -> Int32 {
        if isCancelled.load(ordering: .relaxed) { throw PostgresConnection.cancelled("connect") }
        switch answer {
        case .value(let pid): return pid
        case .silence, .done:
            throw PostgresError(
                .unreachable, operation: "connect", message: "the server accepts connections but does not answer")
        case .refused(var error):
            if error.kind == .connectionLost { error.kind = .unreachable }
            throw error
        }
    }

    private enum Answer {
        case value(Int32)
        case done
        case refused(PostgresError)
        case silence
    }

    /// One statement, or several, whose last row is a number.
    private static func ask(
        _ connection: OpaquePointer, _ sql: String, _ patience: Duration, isCancelled: borrowing Atomic<Bool>
    ) -> Answer {
        func refused(_ result: OpaquePointer? = nil) -> Answer {
            .refused(Statements(raw: connection).error(result, operation: "connect"))
        }
        guard PQsendQuery(connection, sql) == 1 else { return refused() }
        let deadline = ContinuousClock.now + patience
        var answer = Answer.done
        while true {
            while PQisBusy(connection) == 1 {
                if isCancelled.load(ordering: .relaxed) || ContinuousClock.now >= deadline { return .silence }
                var descriptor = pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0)
                if poll(&descriptor, 1, 50) > 0, PQconsumeInput(connection) == 0 { return refused() }
            }
            guard let result = PQgetResult(connection) else { return answer }
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK: continue
            case PGRES_TUPLES_OK:
                if let text = PQgetvalue(result, 0, 0), let pid = Int32(String(cString: text)) { answer = .value(pid) }
            default:
                return refused(result)
            }
        }
    }
}
