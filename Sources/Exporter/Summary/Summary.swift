import ExportCore
import Foundation

/// What an export returns: how it ended, and what it did.
package struct Summary: Sendable {
    /// The items.
    package struct Runs: Sendable {
        package var items = 0
        package var outcomes: [Outcome: Int] = [:]
        package var alreadySettled = 0
        /// Runs that `--refetch` asked for, and that gave nothing better than what is stored.
        package var kept = 0
        /// Every answer about a run that is not past its time was 404.
        package var onlyNotFound = false
    }

    /// Rows stored by this call, those of pages included.
    package struct Stored: Sendable {
        package var results = 0
        package var errors = 0
        /// Parts of answers that PostgreSQL refused.
        package var rejects = 0
    }

    /// The items' chains of pages.
    package struct Chains: Sendable {
        /// By the reason of their end, those that occur.
        package var ended: [EndReason: Int] = [:]
        /// Those that have no end yet.
        package var open = 0
        /// Pages behind their roots, stored by this call.
        package var pagesFollowed = 0
        /// The first of those whose next page was perhaps asked for.
        package var inDoubt: [ChainReport] = []
        /// The first of those that have no end yet, with the reason.
        package var left: [ChainReport] = []
    }

    package struct Requests: Sendable {
        package var total = 0
        /// By HTTP status, nil for those without an answer.
        package var byStatus: [Int?: Int] = [:]
        package var rateLimited = 0
        /// Seconds, to the millisecond.
        package var waitedForBudget: Double = 0
    }

    /// Unsettled runs of earlier manifests.
    package struct Elsewhere: Sendable {
        package var runs = 0
        /// The soonest expiry among them that has not come yet.
        package var soonestExpiry: Date?
    }

    /// Nil for an export that was never written down.
    package var exportID: Int?
    /// Whose runs they are; nil if that was not known yet.
    package var account: String?
    package var manifests: [String]
    package var end: ExportEnd
    package var runs = Runs()
    package var stored = Stored()
    package var chains = Chains()
    package var requests = Requests()
    /// Seconds, to the millisecond.
    package var duration: Double = 0
    package var elsewhere = Elsewhere()

    package init(manifests: [String], end: ExportEnd) {
        self.manifests = manifests
        self.end = end
    }
}

extension Summary {
    mutating func add(_ tally: Tally) {
        stored = Stored(results: tally.results, errors: tally.errors, rejects: tally.rejects)
        requests = Requests(
            total: tally.requests, byStatus: tally.byStatus, rateLimited: tally.rateLimited,
            waitedForBudget: (tally.waitedForBudget.seconds * 1000).rounded() / 1000)
        runs.kept = tally.kept
        runs.onlyNotFound = tally.isOnlyNotFound
        chains.pagesFollowed = tally.pages
    }

    mutating func add(_ balance: ExportBalance) {
        runs.items = balance.items
        runs.outcomes = balance.outcomes
        runs.alreadySettled = balance.alreadySettled
        for (reason, count) in balance.chains {
            if let reason { chains.ended[reason] = count } else { chains.open = count }
        }
    }
}
