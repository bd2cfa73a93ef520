import Synchronization

/// Notices a request that no longer moves, or too slowly. The HTTP client's own read timeout would also fire while we
/// ourselves hold the body back because memory is short; this one stands still then.
final class StallWatch<C: Clock>: Sendable where C.Duration == Duration {
    private struct State {
        var lastByte: C.Instant
        var end: C.Instant
        /// The request waits for a connection, which has a limit of its own.
        var isInLine: Bool
        var heldSince: C.Instant?
        /// Of the answer: what has come in the present stretch of time. Nil before its head.
        var stretch: (start: C.Instant, bytes: Int)?
    }

    private let clock: C
    private let limits: TransportLimits
    private let state: Mutex<State>

    /// - Parameter isInLine: time counts from the first `left()` on.
    init(clock: C, limits: TransportLimits, isInLine: Bool = false) {
        self.clock = clock
        self.limits = limits
        state = Mutex(
            State(lastByte: clock.now, end: clock.now.advanced(by: limits.total), isInLine: isInLine))
    }

    /// The request has been written to a connection.
    func left() {
        state.withLock { state in
            state.lastByte = clock.now
            if state.isInLine { state.end = clock.now.advanced(by: limits.total) }
            state.isInLine = false
        }
    }

    /// The request waits for a connection again.
    func returnedToLine() {
        state.withLock { $0.isInLine = true }
    }

    /// - Parameter bytes: of the body, as they came; 0 for the head.
    func moved(_ bytes: Int = 0) {
        state.withLock { state in
            state.lastByte = clock.now
            state.isInLine = false
            state.stretch = (state.stretch?.start ?? clock.now, (state.stretch?.bytes ?? 0) + bytes)
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
                if let stretch = state.stretch {
                    state.stretch = (stretch.start.advanced(by: length), stretch.bytes)
                }
            }
        }
        return try await body()
    }

    /// Returns, with the reason, when the request has stood still, crawled or gone on for too long.
    func run() async throws -> TransportError {
        while true {
            let (due, reason) = state.withLock { nextLimit(&$0) }
            if due <= clock.now {
                return TransportError(.timedOut, reason, answerBegan: state.withLock { $0.stretch != nil })
            }
            // In short steps: the timer of a cancelled sleep stays in memory until its time comes, and at thousands of
            // requests a second those of half a minute would add up.
            let step = clock.now.advanced(by: .seconds(1))
            try await clock.sleep(until: min(due, step), tolerance: .milliseconds(100))
        }
    }

    /// The limit that the request meets first if nothing comes.
    private func nextLimit(_ state: inout State) -> (due: C.Instant, reason: String) {
        if state.isInLine || state.heldSince != nil { return (clock.now.advanced(by: limits.read), "") }
        var (due, reason) = (
            state.lastByte.advanced(by: limits.read), "no byte came for \(limits.read.components.seconds) s"
        )
        if state.end <= due { (due, reason) = (state.end, "the answer took too long in all") }
        guard let stretch = state.stretch else { return (due, reason) }
        var stretchEnd = stretch.start.advanced(by: limits.stretch)
        if stretchEnd <= clock.now, stretch.bytes >= limits.leastBytes {
            state.stretch = (clock.now, 0)
            stretchEnd = clock.now.advanced(by: limits.stretch)
        }
        if stretchEnd < due {
            (due, reason) = (
                stretchEnd, "fewer than \(limits.leastBytes) bytes came in \(limits.stretch.components.seconds) s"
            )
        }
        return (due, reason)
    }
}
