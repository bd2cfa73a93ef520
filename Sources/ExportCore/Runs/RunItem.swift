import Foundation

/// A run that an export has still to fetch, with what decides when, and what an answer means.
package struct RunItem: Sendable, Equatable {
    package var key: RunKey
    /// When the run was started, if a manifest said so.
    package var executedAt: Date?
    /// When the API forgets the result: seven days after `executedAt`, or else after the run was first seen.
    package var expiresAt: Date
    /// An earlier answer showed that the run exists.
    package var seenAlive = false
    /// Its result is stored: it is only fetched again.
    package var isStored = false
    /// An earlier export found that it may not be read.
    package var wasForbidden = false
    /// An export died while the run was under way: its answer may be why, so it is asked for last, and alone.
    package var isSuspect = false
    /// How often this export found the run unfinished.
    package var polls = 0
    /// Failed tries since the last answer that was of use.
    package var failures = 0
    /// The last try that failed.
    package var lastFailure: FailedTry?
    /// Answers 200 that quoted a 429 of the API's own.
    package var quotedThrottles = 0
    /// When it was last asked for.
    package var askedAt: Date?
    /// Requests of this export for the run that the ledger has not counted yet.
    package var requests = 0
    /// The run is page 0 of a chain that its manifest asks for.
    package var followsPages = false
    /// Where the manifest has what its pages are asked for with.
    package var manifestPosition: Int?
    /// The run is a further page of a chain, and no item of a manifest.
    package var page: PageOfChain?

    /// It was asked for before, and was not finished.
    package var isPoll: Bool { polls > 0 }

    package init(key: RunKey, executedAt: Date? = nil, expiresAt: Date, seenAlive: Bool = false, polls: Int = 0) {
        self.key = key
        self.executedAt = executedAt
        self.expiresAt = expiresAt
        self.seenAlive = seenAlive
        self.polls = polls
    }
}

package struct FailedTry: Sendable, Equatable {
    /// nil if no answer came.
    package var httpStatus: Int?
}

/// What distinguishes a run that was started for a page from one that a manifest names.
package struct PageOfChain: Sendable, Equatable {
    package var root: RunKey
    /// When its POST was answered.
    package var submittedAt: Date
    /// Its chain has gone on since: it is only fetched again.
    package var isRefetch = false
    /// How often the API did not have it yet.
    package var misses = 0

    package init(root: RunKey, submittedAt: Date, isRefetch: Bool = false, misses: Int = 0) {
        self.root = root
        self.submittedAt = submittedAt
        self.isRefetch = isRefetch
        self.misses = misses
    }

    /// How long the API may answer 404 for a run that it has just started.
    static let patience: Duration = .seconds(60)
}

extension RunItem {
    /// The chain that the run is a page of.
    package var chainRoot: RunKey? { page?.root ?? (followsPages ? key : nil) }
}
