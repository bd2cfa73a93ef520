/// What a new answer does to what is stored of the run. A stored result is never lost to a later answer.
package enum MergeRule: Equatable {
    /// The answer's rows take the place of whatever is stored.
    case replace
    /// The run has a result since, by another export: this answer has nothing to add.
    case alreadySettled
    /// The run was asked for again and gave nothing better: what is stored stays.
    case keep
    /// No result is stored, and none came: the run's row gets the newest state.
    case update

    /// Whether the answer changes what is stored.
    package var writes: Bool { self == .replace || self == .update }

    package init(stored: Outcome, answer: Outcome, refetch: Bool) {
        self =
            switch (stored.isStored, answer.isStored) {
            case (false, true): .replace
            case (false, false): .update
            // An action that once succeeded has a result to lose.
            case (true, true) where stored == .success && answer == .error: refetch ? .keep : .alreadySettled
            case (true, true): refetch ? .replace : .alreadySettled
            case (true, false): refetch ? .keep : .alreadySettled
            }
    }
}
