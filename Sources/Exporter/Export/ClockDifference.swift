import ActionsAPI
import Foundation
import Logging
import Postgres

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
    init(answer: Date, askedAt: Date, answeredAt: Date) {
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

extension SteadyClock {
    /// A clock that goes as the database's does, for all that decides about data: a host whose clock is wrong must not
    /// take young runs for expired, or prune what has just arrived. A host that is far off is warned about.
    package func ofDatabase(on session: PostgresSession, logger: Logger) async throws -> SteadyClock {
        var best: (roundTrip: TimeInterval, difference: ClockDifference)?
        // A first try may have to connect: what took long is asked again.
        for _ in 1...3 where best.map({ $0.roundTrip > 0.5 }) ?? true {
            let askedAt = now
            let rows = try await session.query("select clock_timestamp() as time")
            let answeredAt = now
            guard let time = try rows.first?.decode("time", as: Date.self) else { continue }
            let roundTrip = answeredAt.timeIntervalSince(askedAt)
            let difference = ClockDifference(answer: time, askedAt: askedAt, answeredAt: answeredAt)
            if best.map({ roundTrip < $0.roundTrip }) ?? true { best = (roundTrip, difference) }
        }
        guard let difference = best?.difference else { return self }
        if let text = ClockDifference(seconds: -difference.seconds).text {
            logger.warning(
                """
                the clock of this host is \(text) the database's, which determines what has expired and what is old: \
                set this host's clock
                """)
        }
        return ahead(by: difference.seconds)
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
