/// What is known of a run, as the tables spell it.
package enum Outcome: String, Sendable, CaseIterable {
    case success, error, expired
    case notFound = "not_found"
    case forbidden, rejected, waiting, pending, failed, queued

    /// The same export asks for it no more, and counts it as done.
    package var isFinal: Bool {
        switch self {
        case .success, .error, .expired, .notFound, .forbidden, .rejected: true
        case .waiting, .pending, .failed, .queued: false
        }
    }

    /// A result is stored, which no later answer may take away.
    package var isStored: Bool { self == .success || self == .error }
}

/// Why a run counts as expired.
package enum Evidence: String, Sendable {
    /// Over seven days old, by `executed_at` or else `first_seen_at`.
    case pastRetention = "past_retention"
    /// An earlier answer knew the run.
    case seenAlive = "seen_alive"
    /// Neither: it may as well never have existed.
    case ageUnknown = "age_unknown"
}

/// How long the API keeps a run's result after the run was started: seven days.
package let retention: Duration = .seconds(7 * 24 * 60 * 60)
