import ActionsAPI
import Synchronization

/// Notices a request that no longer moves, or too slowly. The HTTP client's own read timeout would also fire while we
/// ourselves hold the body back because memory is short; this clock stops then.
///
/// Instants are durations since the watch was made.
final class StallWatch: Sendable {
    private struct State {
        var lastByte = Duration.zero
        var end: Duration
        /// The request waits for a connection, which has a limit of its own.
        var isInLine: Bool
        var heldSince: Duration?
        var resent = 0
        /// Of the answer: what has come in the present interval. Nil before its head.
        var interval: (start: Duration, bytes: Int)?
        var expiry: TransportError?
    }

    private let elapsed: @Sendable () -> Duration
    private let limits: TransportLimits
    private let state: Mutex<State>

    /// - Parameter isInLine: time counts from the first `left()` on.
    init<C: Clock>(clock: C, limits: TransportLimits, isInLine: Bool = false) where C.Duration == Duration {
        let start = clock.now
        elapsed = { start.duration(to: clock.now) }
        self.limits = limits
        state = Mutex(State(end: limits.total, isInLine: isInLine))
    }

    private var now: Duration { elapsed() }

    /// The request has been written to a connection.
    func left() {
        state.withLock { state in
            state.lastByte = now
            if state.isInLine { state.end = now + limits.total }
            state.isInLine = false
        }
    }

    /// The request waits for a connection again.
    ///
    /// - Parameter hasLeft: it had been written to one before.
    func returnedToLine(hasLeft: Bool) {
        state.withLock { state in
            state.isInLine = true
            if hasLeft { state.resent += 1 }
        }
    }

    /// How often the request had left before the last time, on connections that failed under it.
    var resent: Int { state.withLock(\.resent) }

    /// - Parameter bytes: of the body, as they came; 0 for the head.
    func moved(_ bytes: Int = 0) {
        state.withLock { state in
            state.lastByte = now
            state.isInLine = false
            state.interval = (state.interval?.start ?? now, (state.interval?.bytes ?? 0) + bytes)
        }
    }

    /// Runs `body` with the watch standing still.
    func held<R>(_ body: () async throws -> R) async rethrows -> R {
        state.withLock { $0.heldSince = now }
        defer {
            state.withLock { state in
                let length = state.heldSince.map { now - $0 } ?? .zero
                state.heldSince = nil
                state.lastByte = now
                state.end += length
                if let interval = state.interval {
                    state.interval = (interval.start + length, interval.bytes)
                }
            }
        }
        return try await body()
    }

    /// Looks at the clock.
    ///
    /// - Returns: the error, from the moment on in which the request has paused, crawled or lasted for too long.
    func check() -> TransportError? {
        state.withLock { state in
            if state.expiry == nil, let (due, limit) = nextLimit(&state), due <= now {
                state.expiry = TransportError(.timedOut, reason(limit), answerBegan: state.interval != nil)
            }
            return state.expiry
        }
    }

    private enum Limit { case pause, rate, total }

    /// The limit that the request meets first if nothing comes; nil while no time counts.
    private func nextLimit(_ state: inout State) -> (due: Duration, limit: Limit)? {
        if state.isInLine || state.heldSince != nil { return nil }
        var next = (due: state.lastByte + limits.read, limit: Limit.pause)
        if state.end <= next.due { next = (state.end, .total) }
        guard let interval = state.interval else { return next }
        var intervalEnd = interval.start + limits.rateInterval
        if intervalEnd <= now, interval.bytes >= limits.leastBytes {
            state.interval = (now, 0)
            intervalEnd = now + limits.rateInterval
        }
        if intervalEnd < next.due { next = (intervalEnd, .rate) }
        return next
    }

    private func reason(_ limit: Limit) -> String {
        switch limit {
        case .pause: "no byte came for \(limits.read.components.seconds) s"
        case .rate: "fewer than \(limits.leastBytes) bytes came in \(limits.rateInterval.components.seconds) s"
        case .total: "the answer exceeded the total time limit"
        }
    }
}
