import ActionsAPI
import Foundation

/// The look-ups of stored actions that chains wait for: one request an action, however many chains ask.
struct LookUps: Sendable {
    private enum State {
        case asked(waiting: [RunKey], failures: Int)
        case answered(ActionDescription)
        /// Its tries are used up: no chain of this export asks again.
        case failed
    }

    enum Decision: Equatable {
        case known(ActionDescription)
        case failed
        /// The chain goes on when the answer comes. `isFirst`: the request is still to be made.
        case waits(isFirst: Bool)
    }

    private let retries: RetryPolicy
    private var states: [UUID: State] = [:]

    init(retries: RetryPolicy = RetryPolicy()) { self.retries = retries }

    func description(of action: UUID) -> ActionDescription? {
        if case .answered(let description)? = states[action] { return description }
        return nil
    }

    /// - Parameter chain: the one that waits for the look-up; nil for an action that is looked up for its own sake.
    mutating func want(_ action: UUID, for chain: RunKey? = nil) -> Decision {
        let new = chain.map { [$0] } ?? []
        switch states[action] {
        case .answered(let description): return .known(description)
        case .failed: return .failed
        case .asked(let waiting, let failures):
            states[action] = .asked(waiting: waiting + new, failures: failures)
            return .waits(isFirst: false)
        case nil:
            states[action] = .asked(waiting: new, failures: 0)
            return .waits(isFirst: true)
        }
    }

    /// - Returns: the chains that waited.
    mutating func answered(_ action: UUID, _ description: ActionDescription?) -> [RunKey] {
        defer { states[action] = description.map { .answered($0) } ?? .failed }
        guard case .asked(let waiting, _)? = states[action] else { return [] }
        return waiting
    }

    /// - Returns: how long to wait before the next try; nil if there is none.
    mutating func failed(
        _ action: UUID, _ failure: RetryPolicy.Failure, retryAfter: Duration?, random: Double
    ) -> Duration? {
        guard case .asked(let waiting, let failures)? = states[action] else { return nil }
        states[action] = .asked(waiting: waiting, failures: failures + 1)
        let decision = retries.decision(after: failure, attempt: failures + 1, retryAfter: retryAfter, random: random)
        guard case .retry(let delay) = decision else { return nil }
        return delay
    }
}
