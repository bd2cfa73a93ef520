/// Tells runs that may not be read from credentials that may read nothing.
///
/// The API answers 403 for both. As long as every answer was 403, those runs are held back; when the first
/// `patience` answers were all 403, or one refuses the credentials outright, the fault is not the runs'.
struct CredentialsWatch: Sendable {
    enum Word: Equatable {
        /// Not known yet: keep the forbidden run in hand.
        case hold
        /// The credentials are good: what is held is forbidden in truth.
        case trust
        /// The credentials are at fault.
        case refuse
    }

    private enum State: Equatable {
        case doubting(forbidden: Int)
        case trusting, refused
    }

    static let patience = 20
    private var state = State.doubting(forbidden: 0)

    mutating func saw(_ step: RunStep) -> Word {
        switch (state, step) {
        case (.refused, _), (_, .refuse):
            state = .refused
            return .refuse
        case (.trusting, _): return .trust
        case (.doubting(let forbidden), .settle(let verdict)) where verdict.outcome == .forbidden:
            state = forbidden + 1 < Self.patience ? .doubting(forbidden: forbidden + 1) : .refused
            return state == .refused ? .refuse : .hold
        // A server in trouble, or a proxy before it, has not looked at the credentials.
        case (.doubting, .retry), (.doubting, .askAgain): return .hold
        case (.doubting, .settle(let verdict)) where verdict.outcome == .failed: return .hold
        case (.doubting, .settle), (.doubting, .poll):
            state = .trusting
            return .trust
        }
    }
}
