import CLibPQ
import Foundation
import Synchronization

/// One connection. Its calls block on a queue of their own, one after another.
///
/// Cancelling the calling task ends the statement in the server; the call throws `.cancelled`, unless it had succeeded
/// already, and the connection is closed either way: a cancel request may still be on its way to it.
package actor PostgresConnection {
    private let executor: QueueExecutor
    private var handle: ConnectionHandle
    private let cancelHandle: CancelHandle
    private let limits: SessionLimits
    private let pinned: Int32?
    /// The server process behind the connection.
    package nonisolated let backend: Backend

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// A server process. Process ids are used again, so the time of its start belongs to its name.
    package struct Backend: Sendable, Hashable {
        package let pid: Int32
        /// nil where the server hides it: from a role that the session took on, and that is not the login's own.
        package let startedAt: Date?
        /// Key of an advisory lock that the session holds from its start: it distinguishes the session from another one
        /// that a pooler has lent the same process since.
        let mark: Int64
    }

    /// Connects and sets up the session (`SessionSetUp`). Throws `.unreachable`, `.authentication`, `.shutdown` (still
    /// starting), `.resources` (too many connections), `.setting` (a pooler in transaction mode, too) among others.
    package init(_ configuration: PostgresConfiguration) async throws(PostgresError) {
        let executor = QueueExecutor(label: "postgres.connection")
        let established = try await Self.establish(configuration, on: executor)
        self.executor = executor
        self.handle = ConnectionHandle(owning: established.raw)
        self.cancelHandle = CancelHandle(established.raw)
        self.backend = established.backend
        self.limits = established.limits
        self.pinned = established.pinned
    }

    package var isUsable: Bool { handle.isIdle }

    /// - Throws: `.connectionLost` if it is closed.
    package func security() throws(PostgresError) -> ConnectionSecurity {
        guard let raw = handle.raw else {
            throw PostgresError(.connectionLost, operation: "security", message: "the connection is closed")
        }
        let settings = ConnectionAttempt.effectiveSettings(raw, keys: ["sslmode", "sslrootcert"])
        let home = ProcessInfo.processInfo.environment["HOME"]
        let rootFile = ConnectionSettings.rootFile(settings["sslrootcert"], home: home)
        return ConnectionSecurity(
            raw, sslMode: settings["sslmode"] ?? "prefer",
            hasRootFile: rootFile.map { ConnectionSettings.isReadable($0) } ?? false)
    }

    package func close() {
        handle.close()
    }

    /// One statement with its parameters; a transaction of its own.
    package func query(
        _ sql: String, _ parameters: [PostgresParameter] = []
    ) async throws(PostgresError) -> PostgresRows {
        try await perform("query") { statements, _ in
            Result { () throws(PostgresError) in try statements.query(sql, parameters, operation: "query") }
        }.get()
    }

    /// Any number of statements without parameters, as in a migration.
    package func execute(script: String) async throws(PostgresError) {
        try await perform("script") { statements, _ in
            Result { () throws(PostgresError) in _ = try statements.execute(script, operation: "script") }
        }.get()
    }

    /// Begins, runs `body`, commits; rolls back and throws on what `body` throws. `.commitUnknown` when the
    /// connection broke during COMMIT.
    package func transaction<R: Sendable>(
        _ body: @Sendable (borrowing PostgresTransaction) throws -> R
    ) async throws -> R {
        switch try await attempt(body) {
        case .committed(let value): return value
        case .unknown(_, let error): throw error
        }
    }

    /// How a transaction ended whose body went through.
    enum Commit<R: Sendable>: Sendable {
        case committed(R)
        /// COMMIT was sent and its answer lost.
        case unknown(R, PostgresError)
    }

    /// - Parameter lockLimit: how long a statement may wait for a lock, in place of the session's own limit.
    func attempt<R: Sendable>(
        lockLimit: Duration? = nil, _ body: @Sendable (borrowing PostgresTransaction) throws -> R
    ) async throws -> Commit<R> {
        let outcome: Result<Commit<R>, any Error> = try await perform("transaction") { statements, cancellation in
            Result { try PostgresTransaction(statements, cancellation, lockLimit: lockLimit).run(body) }
        }
        return try outcome.get()
    }

    /// Runs `work` with the task's cancellation wired to it. The outer error: nothing was begun.
    private func perform<R: Sendable, Failure: Error>(
        _ operation: String,
        _ work: (Statements, OperationCancellation) -> Result<R, Failure>
    ) async throws(PostgresError) -> Result<R, Failure> {
        if Task.isCancelled { throw Self.cancelled(operation) }
        guard let raw = handle.raw else {
            throw PostgresError(.connectionLost, operation: operation, message: "the connection is closed")
        }
        let cancellation = OperationCancellation(cancelHandle, socket: PQsocket(raw))
        let result = await withTaskCancellationHandler {
            // Through `self`: a closure that does not capture it is not isolated to this actor, so that the call would
            // block one of the few threads of Swift's pool.
            self.block(on: raw, cancellation, work)
        } onCancel: {
            cancellation.request()
        }
        let isCancelled = cancellation.end()
        if isCancelled || !handle.isIdle { handle.close() }
        if isCancelled, case .failure(let error) = result, (error as? PostgresError)?.kind != .commitUnknown {
            throw Self.cancelled(operation)
        }
        return result
    }

    private func block<Value>(
        on raw: OpaquePointer, _ cancellation: OperationCancellation,
        _ work: (Statements, OperationCancellation) -> Value
    ) -> Value {
        work(Statements(raw: raw, limits: limits, pinned: pinned), cancellation)
    }

    static func cancelled(_ operation: String) -> PostgresError {
        PostgresError(.cancelled, operation: operation, message: "the task was cancelled")
    }
}

extension PostgresConnection {
    /// A connection on its way from the thread that made it to the actor.
    // The pointer has one owner at any time: the queue's closure, then the initialiser that wraps it again.
    private struct Established: @unchecked Sendable {
        let raw: OpaquePointer
        let backend: Backend
        let limits: SessionLimits
        let pinned: Int32?
    }

    private static func establish(
        _ configuration: PostgresConfiguration, on executor: QueueExecutor
    ) async throws(PostgresError) -> Established {
        let flag = CancellationFlag()
        let result: Result<Established, PostgresError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                executor.queue.async {
                    continuation.resume(
                        returning: Result { () throws(PostgresError) in
                            let handle = try ConnectionAttempt.open(configuration, isCancelled: flag.isCancelled)
                            return try setUp(handle, configuration, isCancelled: flag.isCancelled)
                        })
                }
            }
        } onCancel: {
            flag.isCancelled.store(true, ordering: .relaxed)
        }
        return try result.get()
    }

    private final class CancellationFlag: Sendable {
        let isCancelled = Atomic(false)
    }

    private static func setUp(
        _ handle: consuming ConnectionHandle, _ configuration: PostgresConfiguration,
        isCancelled: borrowing Atomic<Bool>
    ) throws(PostgresError) -> Established {
        var handle = handle
        guard let open = handle.raw else { throw cancelled("connect") }
        // Before anything is set that a pooler would leave to others.
        let pinned = try PoolerProbe.pin(open, configuration, isCancelled: isCancelled)
        let name = ConnectionAttempt.effectiveSettings(open, keys: ["application_name"])["application_name"] ?? ""
        let session = try SessionSetUp(
            Statements(raw: open), searchPath: configuration.searchPath ?? "pg_catalog",
            applicationName: name.isEmpty ? configuration.applicationName : name)
        guard let raw = handle.release() else { throw cancelled("connect") }
        return Established(raw: raw, backend: session.backend, limits: session.limits, pinned: pinned)
    }
}
