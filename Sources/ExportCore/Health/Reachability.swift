import ActionsAPI
import Foundation

/// Distinguishes an API that cannot be reached from a run that cannot be fetched.
///
///     unproven ──▶ connected ◀──▶ disconnected ──▶ lost
///        └──────────────────────────▶┘
///
/// If no connection was made, the fault is not the run's: no try of that run is used up, and nothing else leaves for a
/// while. Then one request probes. After so many failed probes the export ends.
struct Reachability: Sendable {
    enum Decision: Equatable {
        /// Nothing goes out before then, and one request first.
        case probe(at: Date)
        case giveUp
    }

    /// Failed probes before an API that never answered is given up: some seconds, so that a wrong address is reported
    /// soon.
    static let patienceAtStart = 5
    /// The same for one that did answer: about a minute.
    static let patience = 8

    private let gaps = RetryPolicy(attempts: patience)
    private(set) var hasAnswered = false
    private var failures = 0
    /// When the next probe may leave; nil while there are connections.
    private(set) var probesAt: Date?
    /// Why there is no connection at present.
    private(set) var reason: String?

    mutating func answered() {
        hasAnswered = true
        failures = 0
        probesAt = nil
        reason = nil
    }

    /// - Parameter random: 0 to 1, 1 excluded.
    mutating func notConnected(_ reason: String, at now: Date, random: Double) -> Decision {
        self.reason = reason
        // Requests that left together fail together: that is one failure.
        if let probesAt, now < probesAt { return .probe(at: probesAt) }
        failures += 1
        guard failures < (hasAnswered ? Self.patience : Self.patienceAtStart),
            case .retry(let gap) = gaps.decision(
                after: .notConnected, attempt: failures, retryAfter: nil, random: random)
        else { return .giveUp }
        let time = now + gap.seconds
        probesAt = time
        return .probe(at: time)
    }
}
