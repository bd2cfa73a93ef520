/// A connection that comes back: after the server restarts, after the network breaks.
///
/// Work whose connection is lost is done again on a new one, within the bounds of its `ReconnectPolicy`. All its work
/// goes over one connection, one call after another.
package actor PostgresSession {
    private let configuration: PostgresConfiguration
    private let policy: ReconnectPolicy
    private let firstPolicy: ReconnectPolicy
    private let clock: any Clock<Duration>
    private let onConnect: @Sendable (PostgresConnection) async throws -> Void
    private let observer: (any PostgresSessionObserver)?
    private var outage: Outage

    private var current: PostgresConnection?
    private var connecting: Task<PostgresConnection, any Error>?
    private var predecessor: PostgresConnection.Backend?
    private var isClosed = false

    /// Connects at the first call.
    ///
    /// - Parameters:
    ///   - reconnect: bounds every kind of trying again.
    ///   - firstConnect: for the first connection instead, so that a wrong address is reported sooner; nil:
    ///     `reconnect`. A server that answers that it has no connection left, or is still starting, is waited for as by
    ///     `reconnect`.
    ///   - clock: what the waits between tries go by.
    ///   - onConnect: runs after every connect, the first included, before anybody uses the connection: the place to
    ///     take session locks. What it throws ends the connection; a transient error counts as a failed try.
    ///   - observer: hears of lost connections and of statements that take long.
    package init(
        _ configuration: PostgresConfiguration,
        reconnect: ReconnectPolicy = ReconnectPolicy(),
        firstConnect: ReconnectPolicy? = nil,
        clock: any Clock<Duration> = ContinuousClock(),
        observer: (any PostgresSessionObserver)? = nil,
        onConnect: @escaping @Sendable (PostgresConnection) async throws -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.policy = reconnect
        self.firstPolicy = firstConnect ?? reconnect
        self.clock = clock
        self.onConnect = onConnect
        self.observer = observer
        outage = Outage(observer: observer, elapsed: { stopwatch(clock) })
    }

    /// Connects now rather than at the first call.
    package func connect() async throws {
        _ = try await connection()
    }

    /// How its connection is protected.
    package func security() async throws -> ConnectionSecurity {
        try await connection().security()
    }

    /// One statement. It may be sent again when its connection is lost, even if it had taken effect: only for what may
    /// be repeated, such as a read.
    package func query(_ sql: String, _ parameters: [PostgresParameter] = []) async throws -> PostgresRows {
        try await repeating { connection in try await connection.query(sql, parameters) }
    }

    /// A transaction whose effect is there exactly once when this returns. `body` may run several times: after a lost
    /// connection, after a conflict, and after a COMMIT whose answer was lost and which turns out not to have happened.
    ///
    /// - Parameters:
    ///   - lockLimit: how long a statement of `body` may wait for a lock, in place of the session's own limit; beyond
    ///     it, `lockNotAvailable` is thrown.
    ///   - body: has to leave something in the database that `wasCommitted` finds, unless it only reads.
    ///   - wasCommitted: asked in a transaction of its own whether the last run of `body` was committed.
    package func transaction<R: Sendable>(
        lockLimit: Duration? = nil,
        _ body: @Sendable (borrowing PostgresTransaction) throws -> R,
        wasCommitted: @Sendable (borrowing PostgresTransaction) throws -> Bool
    ) async throws -> R {
        var unknowns = 0
        while true {
            let commit = try await repeating { connection in
                try await connection.attempt(lockLimit: lockLimit, body)
            }
            switch commit {
            case .committed(let value):
                return value
            case .unknown(let value, let error):
                // A cancellation may end the connection, too.
                if !isClosed, !Task.isCancelled { outage.began(error) }
                // The caller's own rows decide. `pg_xact_status` alone does not: after a crash the server hands out
                // again the transaction ids that had not reached its log, and would answer for a stranger's
                // transaction. Nor can the old one commit after it was asked about: a reconnect ends the old
                // server process first.
                let happened = try await repeating { connection in try await connection.transaction(wasCommitted) }
                if happened { return value }
                unknowns += 1
                guard let gap = policy.gap(afterLoss: unknowns) else { throw error }
                try await clock.sleep(for: gap)
            }
        }
    }

    /// Closes the connection; calls after it throw.
    package func close() async {
        isClosed = true
        connecting?.cancel()
        let connection = current
        current = nil
        await connection?.close()
    }
}

extension PostgresSession {
    /// Does `work` again after what a new connection or another try can mend.
    private func repeating<R: Sendable>(
        _ work: (PostgresConnection) async throws -> R
    ) async throws -> R {
        var losses = 0
        var conflicts = 0
        while true {
            let connection = try await connection()
            do {
                guard let observer else { return try await work(connection) }
                return try await StatementWatch(observer: observer, clock: clock).watch(connection.backend.pid) {
                    try await work(connection)
                }
            } catch let error as PostgresError {
                let gap: Duration?
                if error.kind == .conflict {
                    conflicts += 1
                    gap = policy.gap(afterConflict: conflicts)
                } else if error.kind.isConnectionLoss, !isClosed {
                    losses += 1
                    outage.began(error)
                    // The first loss is met by connecting at once; that has gaps of its own.
                    gap = losses == 1 && policy.losses > 0 ? .zero : policy.gap(afterLoss: losses)
                } else {
                    gap = nil
                }
                guard let gap else { throw error }
                if gap > .zero { try await clock.sleep(for: gap) }
            }
        }
    }

    private func connection() async throws -> PostgresConnection {
        while true {
            if isClosed { throw closed }
            if let current {
                if await current.isUsable { return current }
                if self.current === current { self.current = nil }
                continue
            }
            let attempt = connecting ?? startConnecting()
            do {
                return try await withTaskCancellationHandler {
                    try await attempt.value
                } onCancel: {
                    attempt.cancel()
                }
            } catch {
                // Several callers may wait for one attempt; this caller has not failed when another was cancelled.
                let wasCancelled = error is CancellationError || (error as? PostgresError)?.kind == .cancelled
                if wasCancelled, !Task.isCancelled, !isClosed { continue }
                throw wasCancelled ? PostgresConnection.cancelled("connect") : error
            }
        }
    }

    private func startConnecting() -> Task<PostgresConnection, any Error> {
        let task = Task {
            defer { connecting = nil }
            let connection = try await establish()
            if isClosed {
                await connection.close()
                throw closed
            }
            current = connection
            outage.ended()
            return connection
        }
        connecting = task
        return task
    }

    /// Tries until there is a connection that `onConnect` accepts.
    private func establish() async throws -> PostgresConnection {
        let isFirst = predecessor == nil
        let elapsed = stopwatch(clock)
        var failures = 0
        while true {
            do {
                return try await connectOnce()
            } catch let error as PostgresError where error.isTransient {
                outage.began(error)
                failures += 1
                let policy = isFirst && !error.isServerBusy ? firstPolicy : policy
                guard let gap = policy.gap(afterFailure: failures, elapsed: elapsed()) else { throw error }
                try await clock.sleep(for: gap)
            }
        }
    }

    private func connectOnce() async throws -> PostgresConnection {
        let connection = try await PostgresConnection(configuration)
        do {
            if let predecessor { try await end(predecessor, from: connection) }
            predecessor = connection.backend
            try await onConnect(connection)
            return connection
        } catch {
            await connection.close()
            throw error
        }
    }

    /// When the network broke, the server may not have noticed: the old process then still holds its locks, and may
    /// still commit its transaction. So it is ended, and its end awaited, before anything else happens. Not if the
    /// session has ended and a pooler has lent its process to another client: then it no longer holds the session's
    /// mark.
    private func end(_ backend: PostgresConnection.Backend, from connection: PostgresConnection) async throws {
        let remaining = try await connection.query(
            """
            select pg_catalog.pg_terminate_backend(activity.pid, 5000) as ended
              from pg_catalog.pg_stat_activity activity
             where activity.pid = $1
               and activity.backend_start = $2
               and exists (select
                             from pg_catalog.pg_locks lock
                            where lock.pid = activity.pid and lock.locktype = 'advisory' and lock.objsubid = 1
                              and lock.classid::bigint = ($3::bigint >> 32) & 4294967295
                              and lock.objid::bigint = $3::bigint & 4294967295)
            """, [.int(Int(backend.pid)), .timestamp(backend.startedAt), .int(Int(backend.mark))])
        for row in remaining where try !row.decode("ended", as: Bool.self) {
            throw PostgresError(
                .lockNotAvailable, operation: "reconnect",
                message: "the earlier session's server process \(backend.pid) is still running")
        }
    }

    private var closed: PostgresError {
        PostgresError(.other, operation: "connect", message: "the session was closed")
    }
}

/// The time since the call, by `clock`.
private func stopwatch<C: Clock<Duration>>(_ clock: C) -> () -> Duration {
    let start = clock.now
    return { start.duration(to: clock.now) }
}

extension PostgresError {
    /// The address is right, and the server will have time later.
    fileprivate var isServerBusy: Bool { kind == .resources || sqlstate == "57P03" }
}

/// Tells an observer once when there is no connection, and once when there is one again.
private struct Outage {
    let observer: (any PostgresSessionObserver)?
    let elapsed: @Sendable () -> () -> Duration
    private var time: (() -> Duration)?

    init(observer: (any PostgresSessionObserver)?, elapsed: @escaping @Sendable () -> () -> Duration) {
        self.observer = observer
        self.elapsed = elapsed
    }

    mutating func began(_ error: PostgresError) {
        guard time == nil else { return }
        time = elapsed()
        observer?.lost(error)
    }

    mutating func ended() {
        guard let time else { return }
        self.time = nil
        observer?.connected(after: time())
    }
}
