import Exporter
import Foundation

/// Past exports and what is left to do, as `status --json` prints them.
struct HistoryJSON: Encodable, Sendable {
    let history: ExportHistory

    private enum CodingKeys: String, CodingKey {
        case exports, locks
        case apiAnsweredAt = "api_answered_at"
        case left
        case readAt = "read_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(history.exports, forKey: .exports)
        try container.encode(history.locks, forKey: .locks)
        try container.encodeIfPresent(history.apiAnsweredAt, forKey: .apiAnsweredAt)
        try container.encode(Left(left: history.left), forKey: .left)
        try container.encode(history.readAt, forKey: .readAt)
    }

    private struct Left: Encodable {
        let left: ExportHistory.Left

        enum CodingKeys: String, CodingKey {
            case runs, outcomes
            case countedTo = "counted_to"
            case nextToExpire = "next_to_expire"
            case failures
            case openChains = "open_chains"
            case chainsInDoubt = "chains_in_doubt"
            case chainsInDoubtCount = "chains_in_doubt_count"
            case rejects
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(left.runs, forKey: .runs)
            if left.hasMoreRuns { try container.encode(ExportHistory.Left.countLimit, forKey: .countedTo) }
            try container.encode(left.outcomes, forKey: .outcomes)
            try container.encode(left.nextToExpire, forKey: .nextToExpire)
            try container.encode(left.failures, forKey: .failures)
            try container.encode(left.openChains, forKey: .openChains)
            try container.encode(left.chainsInDoubt.map(ChainReportJSON.init), forKey: .chainsInDoubt)
            try container.encode(left.chainsInDoubtCount, forKey: .chainsInDoubtCount)
            try container.encode(left.rejects, forKey: .rejects)
        }
    }
}
