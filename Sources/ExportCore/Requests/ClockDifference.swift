import ActionsAPI
import Foundation

/// How far one clock is ahead of another.
package struct ClockDifference: Sendable, Equatable {
    /// Clocks that differ by no more are taken to agree.
    static let tolerance: TimeInterval = 60

    /// Negative: it is behind.
    package let seconds: TimeInterval

    package init(seconds: TimeInterval) { self.seconds = seconds }

    /// - Parameters:
    ///   - answer: the other clock's time, read while a question was under way.
    ///   - askedAt: when it was asked, by one's own clock.
    ///   - answeredAt: when the answer came, by one's own clock.
    package init(answer: Date, askedAt: Date, answeredAt: Date) {
        self.init(seconds: answer.timeIntervalSince(askedAt) - answeredAt.timeIntervalSince(askedAt) / 2)
    }

    /// `3 days ahead of`, `5 minutes behind`; nil if the clocks agree.
    package var text: String? {
        guard seconds.magnitude > Self.tolerance else { return nil }
        let (unit, length): (String, Double) =
            switch seconds.magnitude {
            case ..<7200: ("minute", 60)
            case ..<172_800: ("hour", 3600)
            default: ("day", 86_400)
            }
        let number = Int((min(seconds.magnitude, 1e12) / length).rounded())
        return "\(number) \(unit)\(number == 1 ? "" : "s") \(seconds > 0 ? "ahead of" : "behind")"
    }
}

/// Compares the API's clock with the database's, once: where they differ, one of them is wrong about what has expired.
struct ClockWitness: Sendable {
    private var hasCompared = false

    /// - Parameters:
    ///   - date: the API's time, by its `Date` header.
    ///   - now: by the database's clock.
    /// - Returns: a warning, at most once.
    mutating func heard(_ date: Date?, at now: Date) -> String? {
        guard let date, !hasCompared else { return nil }
        hasCompared = true
        return ClockDifference(seconds: now.timeIntervalSince(date)).text.map { text in
            "the database's clock is \(text) the API's (its Date header), and decides what has expired: make sure that it "
                + "is right"
        }
    }
}
