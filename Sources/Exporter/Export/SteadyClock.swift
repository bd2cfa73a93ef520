import Foundation

/// The time of day as it was at the start, carried on by a clock that nobody sets: waits and windows stay right when
/// the system's clock jumps.
package struct SteadyClock: Sendable {
    private let start: Date
    private let origin: ContinuousClock.Instant

    package init(start: Date = Date()) {
        self.start = start
        origin = .now
    }

    package var now: Date { start + origin.duration(to: .now).seconds }

    package func sleep(until instant: Date) async throws {
        try await Task.sleep(for: .seconds(max(0, instant.timeIntervalSince(now))))
    }
}
