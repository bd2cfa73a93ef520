/// Distinguishes runs that may not be read from credentials that may read nothing.
///
/// The API answers 403 for both. As long as every answer was 403, those runs are held back; when the first
/// `patience` answers were all 403, or one refuses the credentials outright, the fault is not the runs'.
///
/// Only the API itself speaks of credentials. A 403 or 401 without its error body is the page of a proxy or firewall
/// before it; when nothing but `patience` of those has come, the API is out of reach.
struct CredentialsWatch: Sendable {
    enum Decision: Equatable {
        /// Hold the run until we know whether the run or the credentials are forbidden.
        case hold
        /// The answer says nothing of the credentials: it counts, and what is held stays so.
        case pass
        /// The answer counts, and so do those that were held.
        case accept
        /// The credentials are at fault: the answer says nothing of the run.
        case refuse
        /// Something before the API lets nothing through.
        case blocked
    }

    private enum State: Equatable { case doubting(forbidden: Int, pages: Int), trusting, refused }

    static let patience = 20
    private var state = State.doubting(forbidden: 0, pages: 0)

    /// All that has come so far were pages of something before the API.
    var hasSeenOnlyPages: Bool {
        if case .doubting(forbidden: 0, let pages) = state { return pages > 0 }
        return false
    }

    /// - Parameters:
    ///   - status: HTTP status of the answer; nil if none came.
    ///   - isPage: the answer lacks the API's error body.
    ///   - wasForbidden: an earlier export found the run forbidden, while its credentials were good for others: that it
    ///     is so again shows nothing new. Otherwise a manifest of which nothing else is left would never be complete.
    mutating func saw(_ step: RunStep, status: Int?, isPage: Bool = false, wasForbidden: Bool = false) -> Decision {
        if step == .refuse { state = .refused }
        if wasForbidden, step.isForbidden, state != .refused { return .pass }
        switch state {
        case .refused: return step == .refuse || step.isForbidden ? .refuse : .accept
        case .trusting: return .accept
        case .doubting(let forbidden, let pages):
            // What is asked again with another token was refused by the API itself, whose error is not kept.
            if isPage, status == 401 || status == 403, step != .askAgain {
                state = .doubting(forbidden: forbidden, pages: pages + 1)
                return forbidden == 0 && pages + 1 >= Self.patience ? .blocked : .pass
            }
            if status == 403, step != .askAgain {
                state = forbidden + 1 < Self.patience ? .doubting(forbidden: forbidden + 1, pages: pages) : .refused
                return state == .refused ? .refuse : step.isForbidden ? .hold : .pass
            }
            // A server in trouble has not looked at the credentials; nor has one that did not answer.
            guard step.isAboutRun else { return .pass }
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
    var isAboutRun: Bool {
        switch self {
        case .conclude(let verdict): verdict.outcome != .failed
        case .poll: true
        case .retry, .miss, .askAgain, .refuse: false
        }
    }
}
