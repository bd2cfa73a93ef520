import Testing

/// All that an export leaves but when it was stored, by which call, and at which attempt.
struct StoredRows: Sendable, Equatable {
    private static let relations = ["runs", "results", "errors", "api_errors", "expired_runs", "rejects"]
    private static let incidental = [
        "export_id", "loaded_at", "first_seen_at", "fetched_at", "checked_at", "occurred_at", "attempts",
    ]

    /// A line for each row, of all relations.
    let text: String

    init(text: String) { self.text = text }

    init(in database: TestDatabase) async throws {
        let names = Self.incidental.map { "'\($0)'" }.joined(separator: ", ")
        let rows = Self.relations.map {
            "select '\($0) ' || (to_jsonb(t) - array[\(names)])::text as line from stored_actions.\($0) t"
        }.joined(separator: " union all ")
        text =
            try await database.value(
                "select string_agg(line, chr(10) order by line collate \"C\") as value from (\(rows)) r") ?? ""
    }

    var count: Int { lines.values.reduce(0, +) }

    /// Rows of `whole` that are not here, and rows here that are not in `whole` or there less often.
    func differences(from whole: StoredRows) -> (missing: [Substring], surplus: [Substring]) {
        if self == whole { return ([], []) }
        let (own, others) = (lines, whole.lines)
        func rows(_ rows: [Substring: Int], without known: [Substring: Int]) -> [Substring] {
            rows.sorted { $0.key < $1.key }.flatMap {
                Array(repeating: $0.key, count: max(0, $0.value - known[$0.key, default: 0]))
            }
        }
        return (rows(others, without: own), rows(own, without: others))
    }

    private var lines: [Substring: Int] {
        text.split(separator: "\n").reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }
}

extension TestDatabase {
    func expectNoHalfRuns(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let halves = try await count(
            """
            runs r where result_count <> (select count(*) from results x where x.run_id = r.run_id)
                      or error_count <> (select count(*) from errors x where x.run_id = r.run_id)
            """)
        #expect(halves == 0, "half a run is stored", sourceLocation: sourceLocation)
    }
}
