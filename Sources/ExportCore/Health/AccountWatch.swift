import Foundation

/// Distinguishes runs whose results are gone, or may not be read, from a token that belongs to another account.
///
/// The API answers 404 or 403 for both. So before the first such answer of an export counts, a stored action is looked
/// up of which the account has had results: a token that cannot see it belongs to another account.
///
///     doubting ──▶ asking ──▶ trusting     the token sees one of the witnesses
///                    │  └───▶ refused      it sees none of them, and none of their runs
///                    └──────▶ unanswered   no look-up got an answer of use: those runs stay as they are
package struct AccountWatch: Sendable {
    enum Decision: Equatable {
        /// The answer counts.
        case accept
        /// The answer is held until the look-up is answered. `lookUp`: to be made now.
        case hold(lookUp: UUID?)
        /// The answer says nothing of the run, which stays as it is.
        case drop
    }

    /// What the look-up of a witness showed.
    enum Sight: Sendable { case seen, hidden, unknown }

    enum Ruling: Equatable {
        /// What was held counts, and so does all that follows.
        case accept
        case lookUp(UUID)
        /// The token does not see that stored action: it is another account's.
        case refuse(UUID)
        case drop
    }

    private enum State: Sendable {
        case doubting([UUID])
        case asking(UUID, next: ArraySlice<UUID>, hidden: UUID?)
        case trusting, refused, unanswered
    }

    /// Witnesses at most: one of them may have been deleted since.
    package static let witnesses = 3

    private let witnesses: Set<UUID>
    private var state: State
    /// A run of a witness was there: its action may have been deleted since, but the token is the account's.
    private var hasSeenRun = false

    /// - Parameter witnesses: stored actions of which the account has had results; without any, nothing can be found
    ///   out.
    package init(witnesses: [UUID]) {
        self.witnesses = Set(witnesses)
        state = witnesses.isEmpty ? .trusting : .doubting(witnesses)
    }

    /// A run of the stored action was answered with 200 or 202.
    mutating func sawRun(of action: UUID) {
        if witnesses.contains(action) { hasSeenRun = true }
    }

    /// A run, a request for a page or the look-up of a stored action was answered with 404, 410 or 403.
    mutating func sawAbsence() -> Decision {
        switch state {
        case .trusting: return .accept
        case .refused, .unanswered: return .drop
        case .asking: return .hold(lookUp: nil)
        case .doubting(let witnesses):
            state = .asking(witnesses[0], next: witnesses.dropFirst(), hidden: nil)
            return .hold(lookUp: witnesses[0])
        }
    }

    /// - Returns: nil if it is not the look-up that is waited for.
    mutating func lookedUp(_ action: UUID, _ sight: Sight) -> Ruling? {
        guard case .asking(action, let next, var hidden) = state else { return nil }
        if sight == .seen {
            state = .trusting
            return .accept
        }
        if sight == .hidden { hidden = hidden ?? action }
        if let further = next.first {
            state = .asking(further, next: next.dropFirst(), hidden: hidden)
            return .lookUp(further)
        }
        guard let hidden else {
            state = .unanswered
            return .drop
        }
        state = hasSeenRun ? .trusting : .refused
        return hasSeenRun ? .accept : .refuse(hidden)
    }
}

extension FetchedRun {
    /// The answer may as well say that the token is another account's. What is fetched again and keeps its result
    /// whatever is answered needs no such doubt.
    var isAbsence: Bool {
        guard !item.isStored, item.page?.isRefetch != true else { return false }
        return [.expired, .notFound, .forbidden].contains(verdict.outcome)
    }
}
