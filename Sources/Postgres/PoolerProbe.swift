import CLibPQ
import Foundation
import Synchronization

/// Finds out whether the server process behind a connection is this connection's own for as long as it lives.
///
/// A pooler in transaction mode lends a process for one transaction: session locks and settings then stay on processes
/// that others get next. It can be told only by its deeds. Whoever gets a process number from the connection's start that
/// is not the server's own talks to a pooler; and of that it is asked whether another connection gets the same process,
/// or this one another process, while it is idle. Nothing is set meanwhile.
enum PoolerProbe {
    /// With more processes than one, which of them is lent next is the pooler's choice: the last one returned, the first,
    /// or any.
    private static let rounds = 3
    /// For an answer to the second connection: it may have to wait for a process until the first one goes.
    private static let patience: Duration = .seconds(3)
    /// For an answer to the first one, from a server that may be busy.
    private static let longPatience: Duration = .seconds(30)

    /// The number of the process that has to run all that this connection asks for; nil if it is connected directly.
    ///
    /// - Throws: of kind `setting` if a process is lent for a transaction only.
    static func pin(
        _ connection: OpaquePointer, _ configuration: PostgresConfiguration, isCancelled: borrowing Atomic<Bool>
    ) throws(PostgresError) -> Int32? {
        guard let pid = try process(of: connection, isCancelled: isCancelled) else {
            throw PostgresError(.unreachable, operation: "connect", message: "the server accepts, and says nothing")
        }
        if pid == PQbackendPID(connection) { return nil }
        var other = configuration
        other.connectTimeout = patience
        let second: ConnectionHandle
        do throws(PostgresError) {
            second = try ConnectionAttempt.open(other, isCancelled: isCancelled)
        } catch {
            if error.kind == .cancelled { throw error }
            // As where one connection is all that there may be: each transaction looks at its process.
            return pid
        }
        guard let raw = second.raw else { return pid }
        for _ in 0..<rounds {
            let answer = ask(raw, "begin; \(question)", patience, isCancelled: isCancelled)
            // PgBouncer's for all that it refuses, as a transaction in statement mode.
            if case .refused("08P01") = answer { throw refusal }
            guard case .value(let borrowed) = answer else { return pid }
            // The first connection is not asked while the second may have its process: it would wait for it.
            var seen = borrowed == pid ? nil : try process(of: connection, isCancelled: isCancelled)
            // Or the pooler would end a process whose transaction it cannot end.
            let end = ask(raw, "rollback", patience, isCancelled: isCancelled)
            if seen != pid { throw refusal }
            guard case .done = end else { return pid }
            for _ in 0..<2 {
                seen = try process(of: connection, isCancelled: isCancelled)
                if seen != pid { throw refusal }
            }
        }
        return pid
    }

    static var refusal: PostgresError {
        PostgresError(
            .setting, operation: "connect",
            message:
                "there is a pooler in transaction mode before the server: locks and settings of a session do not last "
                + "there, and are left to others. Connect to the server itself, or to a pool in session mode "
                + "(PgBouncer: pool_mode = session)")
    }

    private static let question = "select pg_catalog.pg_backend_pid()"

    /// Nil if there is no answer.
    private static func process(
        of connection: OpaquePointer, isCancelled: borrowing Atomic<Bool>
    ) throws(PostgresError) -> Int32? {
        let answer = ask(connection, question, longPatience, isCancelled: isCancelled)
        if isCancelled.load(ordering: .relaxed) { throw PostgresConnection.cancelled("connect") }
        switch answer {
        case .value(let pid): return pid
        case .silence, .done: return nil
        case .refused:
            var error = Statements(raw: connection).error(nil, operation: "connect")
            if error.kind == .connectionLost { error.kind = .unreachable }
            throw error
        }
    }

    private enum Answer {
        case value(Int32)
        case done
        case refused(String?)
        case silence
    }

    /// One statement, or several, whose last row is a number.
    private static func ask(
        _ connection: OpaquePointer, _ sql: String, _ patience: Duration, isCancelled: borrowing Atomic<Bool>
    ) -> Answer {
        guard PQsendQuery(connection, sql) == 1 else { return .refused(nil) }
        let deadline = ContinuousClock.now + patience
        var answer = Answer.done
        while true {
            while PQisBusy(connection) == 1 {
                if isCancelled.load(ordering: .relaxed) || ContinuousClock.now >= deadline { return .silence }
                var descriptor = pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0)
                if poll(&descriptor, 1, 50) > 0, PQconsumeInput(connection) == 0 { return .refused(nil) }
            }
            guard let result = PQgetResult(connection) else { return answer }
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK: continue
            case PGRES_TUPLES_OK:
                if let text = PQgetvalue(result, 0, 0), let pid = Int32(String(cString: text)) { answer = .value(pid) }
            default:
                return .refused(PQresultErrorField(result, 0x43).map { String(cString: $0) })
            }
        }
    }
}
