/// What was pruned, or would be.
package struct PruneCounts: Sendable, Encodable, Equatable {
    package var runs = 0
    /// Rows deleted, by table.
    package var rows: [String: Int] = Dictionary(uniqueKeysWithValues: RunTable.allCases.map { ($0.rawValue, 0) })
    /// What the wide columns of those rows took in their tables, roughly.
    package var bytes = 0
    /// Exports that were forgotten, and rows of `export_items` with them.
    package var exports = 0
    package var exportItems = 0

    private enum CodingKeys: String, CodingKey {
        case runs, rows, bytes, exports
        case exportItems = "export_items"
    }

    package init() {}

    init(exports: Int = 0, exportItems: Int = 0) {
        self.exports = exports
        self.exportItems = exportItems
    }

    package static func += (sum: inout PruneCounts, more: PruneCounts) {
        sum.runs += more.runs
        sum.rows.merge(more.rows, uniquingKeysWith: +)
        sum.bytes += more.bytes
        sum.exports += more.exports
        sum.exportItems += more.exportItems
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
