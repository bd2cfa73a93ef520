import ExportCore
import Exporter

/// An export's summary as `--json` prints it: one flat object.
struct SummaryJSON: Encodable, Sendable {
    let summary: Summary

    private struct Requests: Encodable {
        var total: Int
        var byStatus: [String: Int]

        enum CodingKeys: String, CodingKey {
            case total
            case byStatus = "by_status"
        }
    }

    private enum CodingKeys: String, CodingKey {
        case exportID = "export_id"
        case account, manifests, outcome, reason
        case exitStatus = "exit_status"
        case items, outcomes, kept
        case alreadySettled = "already_settled"
        case onlyNotFound = "only_not_found"
        case results, errors, rejects
        case chains
        case openChains = "open_chains"
        case pagesFollowed = "pages_followed"
        case chainsInDoubt = "chains_in_doubt"
        case chainsLeft = "chains_left"
        case requests
        case rateLimited = "rate_limited"
        case waitedForBudget = "waited_for_budget_s"
        case duration = "duration_s"
        case unfinishedElsewhere = "unfinished_elsewhere"
    }

    /// What is nil is null: every summary has every key.
    func encode(to encoder: any Encoder) throws {
        let end = EndText(summary.end, account: summary.account)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(summary.exportID, forKey: .exportID)
        try container.encode(summary.account, forKey: .account)
        try container.encode(summary.manifests, forKey: .manifests)
        try container.encode(end.outcome.rawValue, forKey: .outcome)
        try container.encode(end.reason, forKey: .reason)
        try container.encode(end.status, forKey: .exitStatus)
        try container.encode(summary.runs.items, forKey: .items)
        try container.encode(outcomes, forKey: .outcomes)
        try container.encode(summary.runs.kept, forKey: .kept)
        try container.encode(summary.runs.alreadySettled, forKey: .alreadySettled)
        try container.encode(summary.runs.onlyNotFound, forKey: .onlyNotFound)
        try container.encode(summary.stored.results, forKey: .results)
        try container.encode(summary.stored.errors, forKey: .errors)
        try container.encode(summary.stored.rejects, forKey: .rejects)
        try container.encode(chains, forKey: .chains)
        try container.encode(summary.chains.open, forKey: .openChains)
        try container.encode(summary.chains.pagesFollowed, forKey: .pagesFollowed)
        try container.encode(summary.chains.inDoubt.map(ChainReportJSON.init), forKey: .chainsInDoubt)
        try container.encode(summary.chains.left.map(ChainReportJSON.init), forKey: .chainsLeft)
        try container.encode(requests, forKey: .requests)
        try container.encode(summary.requests.rateLimited, forKey: .rateLimited)
        try container.encode(summary.requests.waitedForBudget, forKey: .waitedForBudget)
        try container.encode(summary.duration, forKey: .duration)
        try container.encode(summary.elsewhere.runs, forKey: .unfinishedElsewhere)
    }

    /// Those that no item has included.
    private var outcomes: [String: Int] {
        let counts = summary.runs.outcomes
        return Dictionary(uniqueKeysWithValues: Outcome.allCases.map { ($0.rawValue, counts[$0] ?? 0) })
    }

    private var chains: [String: Int] {
        Dictionary(uniqueKeysWithValues: summary.chains.ended.map { ($0.rawValue, $1) })
    }

    private var requests: Requests {
        let byStatus = summary.requests.byStatus.map { ($0.map(String.init) ?? "none", $1) }
        return Requests(total: summary.requests.total, byStatus: Dictionary(uniqueKeysWithValues: byStatus))
    }
}
