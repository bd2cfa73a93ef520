import Synchronization
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

/// A clock on which a sleep takes no time: it moves the clock on, and then runs what the test has planned up to then.
private final class PlannedClock: Clock {
    struct Instant: InstantProtocol {
        var offset: Duration
        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    typealias Plan = [(at: Duration, act: @Sendable () -> Void)]

    private let state = Mutex<(now: Duration, plan: Plan)>((.zero, []))

    var now: Instant { Instant(offset: state.withLock(\.now)) }
    let minimumResolution = Duration.zero

    func plan(_ plan: Plan) { state.withLock { $0.plan = plan } }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        while let due = nextAct(before: deadline) { due() }
        state.withLock { $0.now = deadline.offset }
    }

    private func nextAct(before deadline: Instant) -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard let first = state.plan.first, first.at < deadline.offset else { return nil }
            state.now = first.at
            state.plan.removeFirst()
            return first.act
        }
    }
}

@Suite("A request that stands still, or crawls")
struct StallWatchTests {
    /// When the watch gives up, seconds after the start, and why.
    private func end(
        isInLine: Bool = false, _ plan: (StallWatch) -> PlannedClock.Plan
    ) async throws -> (seconds: Int64, error: TransportError) {
        let clock = PlannedClock()
        let watch = StallWatch(clock: clock, limits: TransportLimits(), isInLine: isInLine)
        clock.plan(plan(watch))
        var expiry = watch.check()
        while expiry == nil {
            try await clock.sleep(until: clock.now.advanced(by: .seconds(1)), tolerance: nil)
            expiry = watch.check()
        }
        let error = try #require(expiry)
        #expect(error.kind == .timedOut)
        return (clock.now.offset.components.seconds, error)
    }

    private func chunks(
        _ bytes: Int, every gap: Int, from: Int = 0, to end: Int, _ watch: StallWatch
    ) -> PlannedClock.Plan {
        stride(from: from, to: end, by: gap).map { second in (.seconds(second), { watch.moved(bytes) }) }
    }

    @Test("Nothing comes for half a minute")
    func silent() async throws {
        let (seconds, error) = try await end { _ in [] }
        #expect(seconds == 30)
        #expect(!error.answerBegan)
    }

    @Test("A byte every 29 s holds its place for half a minute, not for ten")
    func drip() async throws {
        let (seconds, error) = try await end { chunks(1, every: 29, to: 600, $0) }
        #expect(seconds <= 31)
        #expect(error.reason == "fewer than 6000 bytes came in 30 s")
        #expect(error.answerBegan)
    }

    @Test("So does one that begins fast and drips then")
    func fastThenDrip() async throws {
        let (seconds, error) = try await end {
            chunks(1 << 20, every: 1, to: 20, $0) + chunks(1, every: 10, from: 21, to: 600, $0)
        }
        #expect((50...62).contains(seconds))
        #expect(error.reason.contains("6000 bytes"))
    }

    @Test("A slow answer at the least rate goes on to the limit of all")
    func slow() async throws {
        let (seconds, error) = try await end { chunks(1000, every: 4, to: 700, $0) }
        #expect(seconds == 600)
        #expect(error.reason == "the answer exceeded the total time limit")
    }

    @Test("A pause of 25 s within an answer is allowed, now as before")
    func pause() async throws {
        let (seconds, _) = try await end { watch in
            [(.zero, { watch.moved() }), (.seconds(25), { watch.moved(10_000) }), (.seconds(50), { watch.moved(1) })]
        }
        #expect(seconds == 60)
    }

    @Test("What waits for a connection has all its time before it")
    func inLine() async throws {
        let (seconds, error) = try await end(isInLine: true) { watch in [(.seconds(1000), { watch.left() })] }
        #expect(seconds == 1030)
        #expect(error.reason == "no byte came for 30 s")
    }

    @Test("Sent again, it has all its time again")
    func sentAgain() async throws {
        let (seconds, _) = try await end(isInLine: true) { watch in
            [
                (.seconds(5), { watch.left() }), (.seconds(20), { watch.returnedToLine(hasLeft: true) }),
                (.seconds(200), { watch.left() }),
            ]
        }
        #expect(seconds == 230)
    }
}
