import ExportCore
import Foundation

/// An optional that JSON shows as null, not as an absent key.
@propertyWrapper
package struct EncodedAsNull<Value: Encodable & Sendable>: Encodable, Sendable {
    package var wrappedValue: Value?

    package init(wrappedValue: Value?) { self.wrappedValue = wrappedValue }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let wrappedValue { try container.encode(wrappedValue) } else { try container.encodeNil() }
    }
}

/// What an export tells when it ends; `--json` prints it as it is.
package struct Summary: Sendable, Encodable {
    package struct Requests: Sendable, Encodable {
        package var total = 0
        /// By HTTP status, `none` for those without an answer.
        package var byStatus: [String: Int] = [:]
    }

    @EncodedAsNull package var exportID: Int?
    /// Whose runs they are; null if that was not known yet.
    @EncodedAsNull package var account: String?
    package var manifests: [String]
    /// As in the table `exports`; `skipped` when another export was running and `--if-locked skip` was given.
    package var outcome: String
    package var exitStatus: Int32
    package var items = 0
    /// Every outcome, those that no item has included.
    package var outcomes: [String: Int]
    package var alreadySettled = 0
    /// Rows stored by this call.
    package var results = 0
    package var errors = 0
    /// Pages behind their roots, stored by this call.
    package var pagesFollowed = 0
    /// The items' chains of pages by the reason of their end, those that occur.
    package var chains: [String: Int] = [:]
    package var requests = Requests()
    package var rateLimited = 0
    package var waitedForBudget: Double = 0
    package var duration: Double = 0
    /// Unsettled runs of earlier manifests.
    package var unfinishedElsewhere = 0

    /// For people: why the export ended as it did, where that takes words.
    @EncodedAsNull package var reason: String?
    /// The items' chains that have no end yet.
    package var openChains = 0
    /// The first of the chains whose next page was perhaps asked for, with what settles it.
    package var chainsInDoubt: [ChainReport] = []
    /// The first of those that have no end yet, with the reason.
    package var chainsLeft: [ChainReport] = []
    /// Parts of answers that PostgreSQL would not take, in this call.
    package var rejects = 0
    /// Runs that `--refetch` asked for, and that gave nothing better than what is stored.
    package var kept = 0
    /// Not in JSON: the soonest expiry among `unfinishedElsewhere`.
    package var soonestExpiryElsewhere: Date?
    /// The API has none of the runs that are not past their time: every answer about them was 404.
    package var onlyNotFound = false

    private enum CodingKeys: String, CodingKey {
        case exportID = "export_id"
        case account, manifests, outcome
        case exitStatus = "exit_status"
        case items, outcomes
        case alreadySettled = "already_settled"
        case results, errors
        case pagesFollowed = "pages_followed"
        case chains, requests
        case rateLimited = "rate_limited"
        case waitedForBudget = "waited_for_budget_s"
        case duration = "duration_s"
        case unfinishedElsewhere = "unfinished_elsewhere"
        case reason
        case openChains = "open_chains"
        case chainsInDoubt = "chains_in_doubt"
        case chainsLeft = "chains_left"
        case rejects, kept
        case onlyNotFound = "only_not_found"
    }

    /// Chains that a summary names one by one; the text of it shows fewer.
    static let chainsTold = 1000

    package init(manifests: [String], outcome: String, exitStatus: Int32) {
        self.manifests = manifests
        self.outcome = outcome
        self.exitStatus = exitStatus
        outcomes = Dictionary(uniqueKeysWithValues: Outcome.allCases.map { ($0.rawValue, 0) })
    }
}

extension Summary.Requests {
    private enum CodingKeys: String, CodingKey {
        case total
        case byStatus = "by_status"
    }
}

extension Summary {
    mutating func add(_ tally: Tally) {
        results = tally.results
        errors = tally.errors
        requests.total = tally.requests
        for (status, count) in tally.byStatus {
            requests.byStatus[status.map(String.init) ?? "none"] = count
        }
        rateLimited = tally.rateLimited
        waitedForBudget = (tally.waitedForBudget.seconds * 1000).rounded() / 1000
        kept = tally.kept
        rejects = tally.rejects
        pagesFollowed = tally.pages
        onlyNotFound = tally.isOnlyNotFound
    }

    mutating func add(_ account: Ledger.Account) {
        items = account.items
        for (outcome, count) in account.outcomes { outcomes[outcome.rawValue] = count }
        alreadySettled = account.alreadySettled
        for (reason, count) in account.chains {
            if let reason { chains[reason.rawValue] = count } else { openChains = count }
        }
    }
}
