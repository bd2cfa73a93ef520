import Synchronization

/// A clock that stands still until something has happened, and on which every sleep takes no time from then on.
struct HurriedClock: Clock {
    typealias Duration = Swift.Duration

    struct Instant: InstantProtocol {
        var offset = Duration.zero
        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private final class State: Sendable {
        let now = Mutex(Instant())
    }

    private let state = State()
    private let hasBegun: @Sendable () -> Bool

    init(after hasBegun: @escaping @Sendable () -> Bool) { self.hasBegun = hasBegun }

    var now: Instant { state.now.withLock(\.self) }
    let minimumResolution = Duration.zero

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        while !hasBegun() {
            try Task.checkCancellation()
            await Task.yield()
        }
        state.now.withLock { $0 = max($0, deadline) }
        await Task.yield()
    }
}
