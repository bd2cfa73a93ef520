/// Tells runs that may not be read from credentials that may read nothing.
///
/// The API answers 403 for both. As long as every answer was 403, those runs are held back; when the first
/// `patience` answers were all 403, or one refuses the credentials outright, the fault is not the runs'.
struct CredentialsWatch: Sendable {
    enum Word: Equatable {
        /// Forbidden in truth, or the credentials' fault: to be kept in hand until it is known.
        case hold
        /// The answer says nothing of the credentials: it counts, and what is held stays so.
        case pass
        /// The answer counts, and so do those that were held.
        case accept
        /// The credentials are at fault: the answer says nothing of the run.
        case refuse
    }

    private enum State: Equatable { case doubting(forbidden: Int), trusting, refused }

    static let patience = 20
    private var state = State.doubting(forbidden: 0)

    /// - Parameters:
    ///   - status: HTTP status of the answer; nil if none came.
    ///   - wasForbidden: an earlier export found the run forbidden, while its credentials were good for others: that it
    ///     is so again is no news. Otherwise a manifest of which nothing else is left would never be complete.
    mutating func saw(_ step: RunStep, status: Int?, wasForbidden: Bool = false) -> Word {
        if step == .refuse { state = .refused }
        if wasForbidden, step.isForbidden, state != .refused { return .pass }
        switch state {
        case .refused: return step == .refuse || step.isForbidden ? .refuse : .accept
        case .trusting: return .accept
        case .doubting(let forbidden):
            // A page of a proxy in the API's place counts as well: nobody gets through to the runs.
            if status == 403, step != .askAgain {
                state = forbidden + 1 < Self.patience ? .doubting(forbidden: forbidden + 1) : .refused
                return state == .refused ? .refuse : step.isForbidden ? .hold : .pass
            }
            // A server in trouble, or nobody at all, has not looked at the credentials.
            guard step.tellsOfRun else { return .pass }
            state = .trusting
            return .accept
        }
    }
}

extension RunStep {
    fileprivate var isForbidden: Bool {
        if case .conclude(let verdict) = self { return verdict.outcome == .forbidden }
        return false
    }

    /// The API looked at the run, and so at the credentials.
    var tellsOfRun: Bool {
        switch self {
        case .conclude(let verdict): verdict.outcome != .failed
        case .poll: true
        case .retry, .miss, .askAgain, .refuse: false
        }
    }
}
