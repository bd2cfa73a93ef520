import ActionsAPI
import Foundation

/// Tells an API that nobody can reach from a run that nobody can fetch.
///
/// A connection that was never made is no fault of the run that wanted it: no try of that run is used up, and nothing
/// else goes out for a while. Then one request probes. After so many probes in vain the export ends.
struct Reachability: Sendable {
    enum Word: Equatable {
        /// Nothing goes out before then, and one request first.
        case probe(at: Date)
        case giveUp
    }

    /// Probes in vain before an API that never answered is given up: some seconds, for a wrong address is told soon.
    static let patienceAtStart = 5
    /// The same for one that did answer: about a minute.
    static let patience = 8
    /// Runs that were given up without a single answer of the API to anything: so many, and it is not the runs.
    static let silentRuns = 3

    private let gaps = RetryPolicy(attempts: patience)
    private(set) var hasAnswered = false
    private var failures = 0
    private var probesAt: Date?

    /// - Returns: whether requests had to wait for this.
    mutating func answered() -> Bool {
        defer {
            hasAnswered = true
            failures = 0
            probesAt = nil
        }
        return probesAt != nil
    }

    /// - Parameter random: 0 to 1, 1 excluded.
    mutating func notConnected(at now: Date, random: Double) -> Word {
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
