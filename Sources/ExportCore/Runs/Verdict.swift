/// What an answer makes of a run, as the ledger stores it.
package struct Verdict: Sendable, Equatable {
    package var outcome: Outcome
    /// Only with `expired`.
    package var evidence: Evidence?
    /// Only with `failed`: what went wrong, for people.
    package var failure: String?
    package var seenAlive: Bool

    package init(outcome: Outcome, evidence: Evidence? = nil, failure: String? = nil, seenAlive: Bool) {
        self.outcome = outcome
        self.evidence = evidence
        self.failure = failure
        self.seenAlive = seenAlive
    }

    /// Of a run whose step is still to be decided.
    package static let unanswered = Verdict(outcome: .queued, seenAlive: false)
}
