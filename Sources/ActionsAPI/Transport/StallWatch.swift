import Synchronization

/// Notices a request that no longer moves. The HTTP client's own read timeout would also fire while we ourselves hold
/// the body back because memory is short; this one stands still then.
final class StallWatch<C: Clock>: Sendable where C.Duration == Duration {
    private struct State {
        var lastByte: C.Instant
        var end: C.Instant
        var heldSince: C.Instant?
        var hasMoved = false
    }

    private let clock: C
    private let read: Duration
    private let state: Mutex<State>

    init(clock: C, limits: TransportLimits) {
        self.clock = clock
        self.read = limits.read
        state = Mutex(State(lastByte: clock.now, end: clock.now.advanced(by: limits.total)))
    }

    func moved() {
        state.withLock { state in
            state.lastByte = clock.now
            state.hasMoved = true
        }
    }

    /// Runs `body` with the watch standing still.
    func held<R>(_ body: () async throws -> R) async rethrows -> R {
        state.withLock { $0.heldSince = clock.now }
        defer {
            state.withLock { state in
                let length = state.heldSince.map { $0.duration(to: clock.now) } ?? .zero
                state.heldSince = nil
                state.lastByte = clock.now
                state.end = state.end.advanced(by: length)
            }
        }
        return try await body()
    }

    /// Returns, with the reason, when the request has stood still or gone on for too long.
    func run() async throws -> TransportError {
        while true {
            let (due, reason) = state.withLock { state in
                if state.heldSince != nil { return (clock.now.advanced(by: read), "") }
                let stall = state.lastByte.advanced(by: read)
                return stall < state.end
                    ? (stall, "no byte came for \(read.components.seconds) s")
                    : (state.end, "the answer took too long in all")
            }
            if due <= clock.now {
                return TransportError(.timedOut, reason, answerBegan: state.withLock { $0.hasMoved })
            }
            // In short steps: the timer of a cancelled sleep stays in memory until its time comes, and at thousands of
            // requests a second those of half a minute would add up.
            let step = clock.now.advanced(by: .seconds(1))
            try await clock.sleep(until: min(due, step), tolerance: .milliseconds(100))
        }
    }
}
