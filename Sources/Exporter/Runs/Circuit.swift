import ActionsAPI
import Foundation

/// Tells an API that fails for everybody from requests that fail.
///
///     closed ──▶ open    so many first tries failed in a row: the retries of some bad runs open nothing
///       ▲          ├──▶ closed      an answer that is of use: at full speed again
///       └──────────┤
///                  └──▶ given up    so many probes in vain, one at a time and at growing gaps
///
/// While it is open a failure is no fault of the run that met it, and uses up none of its tries.
struct Circuit: Sendable {
    enum Word: Equatable {
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

    /// - Returns: whether it was open.
    mutating func succeeded() -> Bool {
        defer { (failures, probes, probesAt) = (0, 0, nil) }
        return probesAt != nil
    }

    /// - Parameters:
    ///   - isRetry: the same request has failed before.
    ///   - askedAt: when the request left; nil if that is not known.
    ///   - retryAfter: the answer's `Retry-After`.
    ///   - random: 0 to 1, 1 excluded.
    mutating func failed(
        isRetry: Bool = false, askedAt: Date? = nil, retryAfter: Duration?, at now: Date, random: Double
    ) -> Word {
        // What left before it opened is no probe.
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
        else { return .giveUp(comeBackAt: nil) }
        guard gap <= longestGap else { return .giveUp(comeBackAt: now + gap.seconds) }
        let time = now + gap.seconds
        probesAt = time
        return .probe(at: time)
    }
}

/// What an answer, or its absence, says of the API's health.
enum Health: Sendable, Equatable {
    case well
    /// It says nothing of it: the rate window, or the credentials, are at fault.
    case unknown
    /// For people: what failed.
    case failing(reason: String)

    var reason: String? {
        if case .failing(let reason) = self { return reason }
        return nil
    }

    /// - Parameter status: HTTP status of the answer.
    init(_ answer: RunAnswer, status: Int) {
        self =
            switch answer {
            case .throttled, .credentialsRefused, .tokenEnded: .unknown
            // Whether those are the runs' or the credentials' is `CredentialsWatch`'s to say.
            case .faulty where status == 403: .unknown
            // A balancer's, of this one exchange.
            case .faulty where [408, 425].contains(status): .unknown
            case .faulty(let failure, let reason, _, _) where failure.isServers: .failing(reason: reason)
            case .finished, .waiting, .pending, .gone, .forbidden, .rejected, .faulty: .well
            }
    }

    init(_ error: TransportError) {
        self = error.failure.isServers ? .failing(reason: error.reason) : .well
    }

    init(_ answer: StartAnswer) {
        self =
            switch answer {
            case .throttled, .credentialsRefused, .tokenEnded: .unknown
            case .unavailable: .failing(reason: "the API is not available")
            case .inDoubt(let reason): .failing(reason: reason)
            case .started, .refused: .well
            }
    }

    init(_ answer: LookUpAnswer) {
        self =
            switch answer {
            case .throttled, .credentialsRefused, .tokenEnded: .unknown
            case .faulty(let failure, let reason) where failure.isServers: .failing(reason: reason)
            case .known, .refused, .faulty: .well
            }
    }
}

extension RetryPolicy.Failure {
    /// Such as a server in trouble makes of every request.
    fileprivate var isServers: Bool {
        switch self {
        case .connectionLost, .timedOut, .malformedAnswer: true
        case .status(let status): (500...599).contains(status)
        case .notConnected, .bodyTooLarge, .unknownStatus: false
        }
    }
}
