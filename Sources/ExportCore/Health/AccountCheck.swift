import Foundation

/// Holds what may only mean that the token is another account's, until a look-up has shown whether it is: runs that are
/// not there or may not be read, and refusals that would end chains.
struct AccountCheck: Sendable {
    /// A refusal that would end chains.
    enum Refusal: Sendable {
        case lookUp(of: [RunKey], ActionDescription)
        case post(of: RunKey, SubmitOutcome)
    }

    /// What the look-up of a stored action decides.
    enum Ruling: Sendable {
        /// What was held counts.
        case accept([FetchedRun], [Refusal])
        case lookUp(UUID)
        /// The token does not see that stored action: it is another account's.
        case refuse(UUID)
        /// Nothing was found out: what was held does not count.
        case drop([Refusal])
    }

    private var watch: AccountWatch
    private var runs: [FetchedRun] = []
    private var refusals: [Refusal] = []

    init(_ watch: AccountWatch) { self.watch = watch }

    /// What is held takes memory: beyond a limit no more runs are asked for until the look-up has been answered.
    var isFull: Bool { runs.count >= 500 || runs.reduce(0) { $0 + $1.errorBytes } > 1 << 20 }

    /// The run was not finished: it exists.
    mutating func sawRun(of action: UUID) { watch.sawRun(of: action) }

    /// A run was answered for the last time.
    mutating func judge(_ run: FetchedRun) -> AccountWatch.Decision {
        guard run.isAbsence else {
            if run.verdict.outcome.isStored { watch.sawRun(of: run.item.key.storedActionID) }
            return .accept
        }
        let decision = watch.sawAbsence()
        if case .hold = decision { runs.append(run) }
        return decision
    }

    mutating func judge(_ refusal: Refusal) -> AccountWatch.Decision {
        let decision = watch.sawAbsence()
        if case .hold = decision { refusals.append(refusal) }
        return decision
    }

    /// - Parameter description: nil if no try got an answer of use.
    /// - Returns: nil if this is not the look-up that is waited for.
    mutating func lookedUp(_ action: UUID, _ description: ActionDescription?) -> Ruling? {
        switch watch.lookedUp(action, AccountWatch.Sight(description)) {
        case nil: return nil
        case .lookUp(let next): return .lookUp(next)
        case .accept:
            defer { runs = [] }
            return .accept(runs, takeRefusals())
        case .drop:
            runs = []
            return .drop(takeRefusals())
        case .refuse(let hidden):
            runs = []
            return .refuse(hidden)
        }
    }

    /// The export ends: the look-ups that the refusals wait for are no longer made.
    mutating func takeRefusals() -> [Refusal] {
        defer { refusals = [] }
        return refusals
    }
}

extension AccountWatch.Sight {
    fileprivate init(_ description: ActionDescription?) {
        self =
            switch description {
            case .found: .seen
            case .withheld: .hidden
            case nil: .unknown
            }
    }
}
