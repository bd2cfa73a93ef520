import Synchronization

/// A clock on which a sleep takes no time: it moves the clock on and runs what the test has to say about it.
final class ScriptedClock: Clock {
    struct Instant: InstantProtocol {
        var offset: Duration
        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private let sleeps = Mutex<[Duration]>([])
    private let onSleep: @Sendable (_ number: Int) async throws -> Void

    init(onSleep: @escaping @Sendable (_ number: Int) async throws -> Void = { _ in }) {
        self.onSleep = onSleep
    }

    var slept: [Duration] { sleeps.withLock { $0 } }
    var now: Instant { Instant(offset: slept.reduce(.zero, +)) }
    var minimumResolution: Duration { .zero }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let gap = now.duration(to: deadline)
        let number = sleeps.withLock {
            $0.append(gap)
            return $0.count
        }
        try await onSleep(number)
    }
}

/// How often something happened, counted from any thread.
final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }

    @discardableResult
    func increment() -> Int {
        count.withLock {
            $0 += 1
            return $0
        }
    }
}
