import Foundation

/// The ledger's account of past exports and of what is left to do.
package struct ExportHistory: Sendable {
    package struct Export: Sendable, Encodable, Equatable {
        package var exportID: Int
        package var manifests: [String]
        package var startedAt: Date
        package var finishedAt: Date?
        package var outcome: String
        package var exitStatus: Int32?
        /// For people: why it ended as it did, where that takes words.
        package var reason: String?
        package var items: Int
        /// Of the items, those that were settled when it began; nil for exports of earlier versions.
        package var alreadySettled: Int?
        package var outcomes: [String: Int]
        package var requests: Int
        package var rateLimited: Int
        package var host: String
        package var processID: Int?
        package var progressAt: Date?
        /// Of a running one: whether the lock of its manifest is held; nil for others.
        package var isAlive: Bool?

        private enum CodingKeys: String, CodingKey {
            case exportID = "export_id"
            case manifests
            case startedAt = "started_at"
            case finishedAt = "finished_at"
            case outcome
            case exitStatus = "exit_status"
            case reason, items
            case alreadySettled = "already_settled"
            case outcomes, requests
            case rateLimited = "rate_limited"
            case host
            case processID = "process_id"
            case progressAt = "progress_at"
            case isAlive = "is_alive"
        }
    }

    /// A run that no export has settled yet.
    package struct Unsettled: Sendable, Encodable, Equatable {
        package var storedActionID: String
        package var runID: String
        package var outcome: String
        package var expiresAt: Date

        private enum CodingKeys: String, CodingKey {
            case storedActionID = "stored_action_id"
            case runID = "run_id"
            case outcome
            case expiresAt = "expires_at"
        }
    }

    /// Unsettled runs that failed alike.
    package struct FailureCount: Sendable, Encodable, Equatable {
        package var outcome: String
        /// HTTP status and code of the API's error, or what went wrong.
        package var failure: String
        package var runs: Int
    }

    package struct Left: Sendable, Equatable {
        /// So many runs are counted at most: `status` has to answer at once, whatever has piled up.
        package static let countLimit = 50_000

        /// Of unsettled runs, up to `countLimit`; so are the counts of outcomes and failures.
        package var runs = 0
        /// There are more than were counted.
        package var hasMoreRuns = false
        package var outcomes: [String: Int] = [:]
        /// The first to expire among those that have not, the soonest first.
        package var nextToExpire: [Unsettled] = []
        /// The commonest failures, the commonest first.
        package var failures: [FailureCount] = []
        /// Chains of pages without an end.
        package var openChains = 0
        /// The first of the chains whose next page was perhaps asked for, and how many there are.
        package var chainsInDoubt: [ChainReport] = []
        package var chainsInDoubtCount = 0
        /// Parts of answers that PostgreSQL refused.
        package var rejects = 0
    }

    /// The newest ones, the newest first.
    package var exports: [Export] = []
    /// Who holds the locks of manifests' names.
    package var locks: [LockHolder] = []
    /// When the API last answered, as far as exports have committed it.
    package var apiAnsweredAt: Date?
    package var left = Left()
    /// The database's clock.
    package var readAt = Date.distantPast
    /// How the schema is newer than this binary; nil if it is not.
    package var newerSchema: NewerSchema?
}
