/// Which failed requests are sent again, how often, and how long after: the only place that decides it.
///
/// The delay after attempt n has equal jitter, half of it fixed and half random, so that requests that failed together
/// do not come back together:
///
///     full(n)  = min(cap, base · 2^(n−1))
///     delay(n) = full(n) / 2 + full(n) / 2 · random
///
/// With the default base of 0.5 s and cap of 30 s:
///
///     n         1          2        3      4      5      6       7 and more
///     delay, s  0.25–0.5   0.5–1    1–2    2–4    4–8    8–16    15–30
///
/// With the default of 5 attempts a request is given up 3.75 to 7.5 s of waiting after its first failure.
package struct RetryPolicy: Sendable {
    package enum Failure: Sendable, Equatable {
        /// No connection came about: the request surely never left.
        case notConnected
        /// The connection broke after the request may have left.
        case connectionLost
        case timedOut
        /// An answer with an HTTP status that is not a result.
        case status(Int)
        /// Not the promised JSON, or cut off: as a rule a proxy's page, or a connection closed early.
        case malformedAnswer
        /// More bytes than the limit allows; the next answer would be as long.
        case bodyTooLarge
        /// A result with an unknown `status`, which a retry would not change.
        case unknownStatus
    }

    package enum Decision: Equatable, Sendable {
        case retry(after: Duration)
        case giveUp
    }

    private let attempts: Int
    private let base: Double
    private let cap: Double

    /// - Parameters:
    ///   - attempts: how often a request is sent in all, the first time included.
    ///   - base: the longest delay after the first failure.
    ///   - cap: the longest delay after any failure.
    package init(attempts: Int = 5, base: Duration = .milliseconds(500), cap: Duration = .seconds(30)) {
        self.attempts = attempts
        self.base = max(0, base.seconds)
        self.cap = max(0, cap.seconds)
    }

    /// - Parameters:
    ///   - attempt: the attempt that just failed, 1 for the first.
    ///   - retryAfter: the answer's `Retry-After`; the delay is never shorter.
    ///   - random: evenly spread over 0..<1.
    package func decision(
        after failure: Failure, attempt: Int, retryAfter: Duration?, random: Double
    ) -> Decision {
        guard isTransient(failure), attempt < attempts else { return .giveUp }
        return .retry(after: max(delay(attempt: attempt, random: random), retryAfter ?? .zero))
    }

    private func isTransient(_ failure: Failure) -> Bool {
        switch failure {
        case .notConnected, .connectionLost, .timedOut, .malformedAnswer: true
        case .bodyTooLarge, .unknownStatus: false
        case .status(408), .status(425): true
        case .status(let code): (500...599).contains(code)
        }
    }

    private func delay(attempt: Int, random: Double) -> Duration {
        let full = min(cap, base * Growth.power(of: 2, to: max(attempt, 1) - 1))
        return Duration(inSeconds: full / 2 + full / 2 * Growth.unit(random))
    }
}
