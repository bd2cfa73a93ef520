import ActionsAPI
import Foundation

/// Distinguishes an API that fails for every request from requests that fail.
///
///     closed ──▶ open    so many first tries failed in a row: the retries of some bad runs open nothing
///       ▲          ├──▶ closed      an answer that is of use: at full speed again
///       └──────────┤
///                  └──▶ given up    so many failed probes, one at a time and at growing gaps
///
/// While it is open, a failure is not the run's own and uses up none of its tries.
struct Circuit: Sendable {
    enum Decision: Equatable {
        /// The failure is one among others.
        case closed
        /// Nothing goes out before then, and one request first.
        case probe(at: Date)
        /// `comeBackAt`: when the API wants to be asked again, if it said so.
        case giveUp(comeBackAt: Date?)
    }

    private let threshold: Int
    private let longestGap: Duration
    private let gaps: RetryPolicy
    /// First tries that failed in a row while it was closed.
    private var failures = 0
    private var probes = 0
    private(set) var isGivenUp = false
    /// When the next probe may leave; nil while it is closed.
    private(set) var probesAt: Date?

    /// - Parameters:
    ///   - threshold: first tries failed in a row that open it.
    ///   - probes: how many fail before it is given up; seven take some 30 to 60 s.
    ///   - longestGap: a server that wants a longer wait is given up at once.
    init(threshold: Int = 20, probes: Int = 7, longestGap: Duration = .seconds(600)) {
        self.threshold = threshold
        self.longestGap = longestGap
        gaps = RetryPolicy(attempts: probes + 1)
    }

    mutating func succeeded() {
        (failures, probes, probesAt) = (0, 0, nil)
    }

    /// - Parameters:
    ///   - isRetry: the same request has failed before.
    ///   - askedAt: when the request left; nil if that is not known.
    ///   - retryAfter: the answer's `Retry-After`.
    ///   - random: 0 to 1, 1 excluded.
    mutating func failed(
        isRetry: Bool = false, askedAt: Date? = nil, retryAfter: Duration?, at now: Date, random: Double
    ) -> Decision {
        // A request that left before the circuit opened is not a probe.
        if let probesAt, askedAt ?? now < probesAt { return .probe(at: probesAt) }
        if probesAt == nil {
            if isRetry { return .closed }
            failures += 1
            if failures < threshold { return .closed }
        }
        probes += 1
        guard
            case .retry(let gap) = gaps.decision(
                after: .status(500), attempt: probes, retryAfter: retryAfter, random: random)
        else { return giveUp(comeBackAt: nil) }
        guard gap <= longestGap else { return giveUp(comeBackAt: now + gap.seconds) }
        let time = now + gap.seconds
        probesAt = time
        return .probe(at: time)
    }

    private mutating func giveUp(comeBackAt time: Date?) -> Decision {
        isGivenUp = true
        return .giveUp(comeBackAt: time)
    }
}
