/// What an answer makes of a run: what the ledger is told.
struct Verdict: Sendable, Equatable {
    var outcome: Outcome
    /// Only with `expired`.
    var evidence: Evidence?
    /// Only with `failed`: what went wrong, for people.
    var failure: String?
    var seenAlive: Bool

    /// Of a run whose step is still to be decided.
    static let unanswered = Verdict(outcome: .queued, seenAlive: false)
}
