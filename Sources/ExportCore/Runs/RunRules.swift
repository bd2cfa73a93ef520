import ActionsAPI
import Foundation

/// What happens to a run after an answer, or after none came.
///
///     asked ──▶ conclude          success, error, expired, not_found, forbidden, rejected, failed
///       ▲  ├──▶ poll               pending, waiting
///       │  ├──▶ miss ───────────┐ a page that this program has just started, and the API does not have yet
///       │  ├──▶ retry ──────────┐ a failure that may pass
///       │  ├──▶ ask again ──────┤ 429: the budget's business, no fault of the run
///       └──┼────────────────────┘
///          └──▶ refuse            the credentials are at fault, not the run
enum RunStep: Sendable, Equatable {
    case conclude(Verdict)
    case poll(Verdict, after: Duration)
    case retry(after: Duration)
    case miss(after: Duration)
    case askAgain
    case refuse
}

/// Decides the step. Pure: the clock and chance are handed in.
struct RunRules: Sendable {
    var retries = RetryPolicy()
    var polls = PollSchedule()
    /// A server that wants a longer wait than this before a retry is left to the next export.
    let longestRetry: Duration

    /// So many answers 200 with the API's own 429 to one run are believed: each closes the window for all others.
    static let quotedThrottles = 3

    /// - Parameter maxWait: what `--max-wait` says of waiting for unfinished runs. A server in trouble is waited for as
    ///   long, and for a minute at least: a short `Retry-After` is the ordinary way to get a result.
    init(maxWait: Duration) {
        longestRetry = max(maxWait, .seconds(60))
    }

    /// - Parameters:
    ///   - item: the run as it was when it was asked for.
    ///   - retryAfter: the answer's `Retry-After`.
    ///   - random: 0 to 1, 1 excluded.
    func step(
        _ item: RunItem, answer: RunAnswer, retryAfter: Duration?, at now: Date, random: Double
    ) -> RunStep {
        switch answer {
        case .finished(.success, _): return .conclude(Verdict(outcome: .success, seenAlive: true))
        case .finished(.error, _): return .conclude(Verdict(outcome: .error, seenAlive: true))
        case .waiting: return poll(.waiting, item, random: random)
        case .pending: return poll(.pending, item, random: random)
        case .gone:
            if let page = item.page, !page.isRefetch, now < page.submittedAt + PageOfChain.patience.seconds {
                return .miss(after: polls.gap(afterPolls: page.misses, random: random))
            }
            return .conclude(gone(item, at: now))
        case .forbidden: return .conclude(Verdict(outcome: .forbidden, seenAlive: item.seenAlive))
        case .rejected: return .conclude(Verdict(outcome: .rejected, seenAlive: item.seenAlive))
        case .credentialsRefused: return .refuse
        case .throttled(insideOK: true) where item.quotedThrottles > Self.quotedThrottles:
            return .conclude(
                Verdict(
                    outcome: .failed, failure: "200 with the API's own error 429, time and again",
                    seenAlive: item.seenAlive))
        // It says nothing about the run: no try is used up, and the bucket's budget does the waiting.
        case .throttled, .tokenEnded: return .askAgain
        case .faulty(let failure, let reason, _, let alive):
            return failed(
                item, failure, reason: reason, alive: alive || item.seenAlive, retryAfter: retryAfter, random: random)
        }
    }

    /// The same for a request that got no complete answer.
    func step(_ item: RunItem, error: TransportError, random: Double) -> RunStep {
        failed(
            item, error.failure, reason: error.reason, alive: item.seenAlive, retryAfter: nil, random: random)
    }

    private func poll(_ outcome: Outcome, _ item: RunItem, random: Double) -> RunStep {
        .poll(
            Verdict(outcome: outcome, seenAlive: true), after: polls.gap(afterPolls: item.polls, random: random))
    }

    /// The API does not say whether a result expired, never existed, or belongs to someone else; age and memory do.
    private func gone(_ item: RunItem, at now: Date) -> Verdict {
        if item.expiresAt <= now {
            return Verdict(outcome: .expired, evidence: .pastRetention, seenAlive: item.seenAlive)
        }
        if item.executedAt != nil { return Verdict(outcome: .notFound, seenAlive: item.seenAlive) }
        return Verdict(
            outcome: .expired, evidence: item.seenAlive ? .seenAlive : .ageUnknown, seenAlive: item.seenAlive)
    }

    private func failed(
        _ item: RunItem, _ failure: RetryPolicy.Failure, reason: String, alive: Bool, retryAfter: Duration?,
        random: Double
    ) -> RunStep {
        switch retries.decision(
            after: failure, attempt: item.failures + 1, retryAfter: retryAfter, random: random)
        {
        case .retry(let delay) where delay <= longestRetry: .retry(after: delay)
        case .retry(let delay):
            .conclude(
                Verdict(
                    outcome: .failed,
                    failure: "\(reason), with a Retry-After of \(delay.components.seconds) s: this export waits for "
                        + "\(longestRetry.components.seconds) s at most",
                    seenAlive: alive))
        case .giveUp: .conclude(Verdict(outcome: .failed, failure: reason, seenAlive: alive))
        }
    }
}
