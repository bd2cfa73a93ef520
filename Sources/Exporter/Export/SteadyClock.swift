import Foundation

/// The time of day as it was at the start, carried on by a clock that cannot be set: waits and windows stay right when
/// the system's clock jumps.
package struct SteadyClock: Sendable, Equatable {
    private let start: Date
    private let origin: ContinuousClock.Instant

    package init(start: Date = Date()) {
        self.init(start: start, origin: .now)
    }

    private init(start: Date, origin: ContinuousClock.Instant) {
        self.start = start
        self.origin = origin
    }

    package var now: Date { start + origin.duration(to: .now).seconds }

    /// The same clock, set ahead by these seconds.
    package func ahead(by seconds: TimeInterval) -> SteadyClock {
        SteadyClock(start: start + seconds, origin: origin)
    }

    package func sleep(until instant: Date) async throws {
        try await Task.sleep(for: .seconds(max(0, instant.timeIntervalSince(now))))
    }
}
