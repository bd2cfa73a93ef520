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
    }

    private let elapsed: @Sendable () -> Duration
    private let sleep: @Sendable (_ until: Duration) async throws -> Void
    private let limits: TransportLimits
    private let state: Mutex<State>

    /// - Parameter isInLine: time counts from the first `left()` on.
    init<C: Clock>(clock: C, limits: TransportLimits, isInLine: Bool = false) where C.Duration == Duration {
        let start = clock.now
        elapsed = { start.duration(to: clock.now) }
        sleep = { try await clock.sleep(until: start.advanced(by: $0), tolerance: .milliseconds(100)) }
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

    /// Returns, with the reason, when the request has stood still, crawled or gone on for too long.
    func run() async throws -> TransportError {
        while true {
            let (due, reason) = state.withLock { nextLimit(&$0) }
            if due <= now {
                return TransportError(.timedOut, reason, answerBegan: state.withLock { $0.interval != nil })
            }
            // In short steps: the timer of a cancelled sleep stays in memory until its time comes, and at thousands of
            // requests a second those of half a minute would add up.
            try await sleep(min(due, now + .seconds(1)))
        }
    }

    /// The limit that the request meets first if nothing comes.
    private func nextLimit(_ state: inout State) -> (due: Duration, reason: String) {
        if state.isInLine || state.heldSince != nil { return (now + limits.read, "") }
        var (due, reason) = (
            state.lastByte + limits.read, "no byte came for \(limits.read.components.seconds) s"
        )
        if state.end <= due { (due, reason) = (state.end, "the answer exceeded the total time limit") }
        guard let interval = state.interval else { return (due, reason) }
        var intervalEnd = interval.start + limits.rateInterval
        if intervalEnd <= now, interval.bytes >= limits.leastBytes {
            state.interval = (now, 0)
            intervalEnd = now + limits.rateInterval
        }
        if intervalEnd < due {
            (due, reason) = (
                intervalEnd, "fewer than \(limits.leastBytes) bytes came in \(limits.rateInterval.components.seconds) s"
            )
        }
        return (due, reason)
    }
}
