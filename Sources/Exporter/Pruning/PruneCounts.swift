/// What was pruned, or would be.
package struct PruneCounts: Sendable, Encodable, Equatable {
    package var runs = 0
    /// Rows deleted, by table.
    package var rows: [String: Int] = Dictionary(uniqueKeysWithValues: RunTable.allCases.map { ($0.rawValue, 0) })
    /// What the wide columns of those rows took in their tables, roughly.
    package var bytes = 0

    package init() {}

    package static func += (sum: inout PruneCounts, more: PruneCounts) {
        sum.runs += more.runs
        sum.rows.merge(more.rows, uniquingKeysWith: +)
        sum.bytes += more.bytes
    }

    /// Names of the tables, in the order of the output.
    package static let tables = RunTable.allCases.map(\.rawValue)
}

/// Runs that are old enough, have something to forget, and are kept.
package struct PruneKept: Sendable, Encodable, Equatable {
    /// They may still be fetched.
    package var unsettled = 0
    /// Pages of chains that have no end yet, or one in doubt.
    package var ofOpenChains = 0

    private enum CodingKeys: String, CodingKey {
        case unsettled
        case ofOpenChains = "of_open_chains"
    }
}
