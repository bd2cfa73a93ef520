import Foundation

/// A run of an export that is still to be asked for, with what decides when and what an answer means.
package struct RunItem: Sendable, Equatable {
    package var key: RunKey
    /// When the run was started, if a manifest said so.
    package var executedAt: Date?
    /// When the API forgets the result: seven days after `executedAt`, or else after the run was first seen.
    package var expiresAt: Date
    /// An earlier answer showed that the run exists.
    package var seenAlive = false
    /// How often this export found the run unfinished.
    package var polls = 0
    /// Failed tries since the last answer that was of use.
    package var failures = 0
    /// Requests of this export for the run that the ledger does not know yet.
    package var requests = 0

    package init(key: RunKey, executedAt: Date? = nil, expiresAt: Date, seenAlive: Bool = false, polls: Int = 0) {
        self.key = key
        self.executedAt = executedAt
        self.expiresAt = expiresAt
        self.seenAlive = seenAlive
        self.polls = polls
    }
}
