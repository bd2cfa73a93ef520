/// One thing that is wrong with a manifest.
package struct ManifestProblem: Sendable, Hashable {
    /// The path as given, or "standard input".
    package var source: String
    /// `runs[3].run_id`, `stored_actions.UUID.label`, `line 12: run_id`, `line 3, column 7`; empty for the whole text.
    package var place: String
    /// What is wrong and how to mend it.
    package var message: String

    package init(source: String, place: String, message: String) {
        self.source = source
        self.place = place
        self.message = message
    }

    /// One line for people.
    package var description: String {
        place.isEmpty ? "\(source): \(message)" : "\(source): \(place): \(message)"
    }
}

/// The manifests are invalid or can't be read; nothing of them is to be used.
package struct ManifestProblems: Error, Sendable {
    /// Ordered by source, and by place within it; as many as the reader was asked to keep.
    package var problems: [ManifestProblem]
    /// How many there are in all.
    package var totalCount: Int
}

/// Gathers problems in any order; keeps the first ones by place, and counts all.
struct ProblemList {
    private struct Entry {
        var source: Int
        var offset: Int
        var sequence: Int
        var problem: ManifestProblem
    }

    private let limit: Int
    private var entries: [Entry] = []
    private(set) var count = 0

    init(limit: Int) {
        self.limit = max(limit, 0)
    }

    var isEmpty: Bool { count == 0 }

    /// The problems kept, in order.
    var first: [ManifestProblem] { sorted().prefix(limit).map(\.problem) }

    /// - Parameters:
    ///   - source: the source's index; orders first.
    ///   - offset: bytes before the place in its source; orders next.
    mutating func add(_ problem: ManifestProblem, source: Int, offset: Int) {
        entries.append(Entry(source: source, offset: offset, sequence: count, problem: problem))
        count += 1
        // Cut back now and then only, so that a flood of problems costs neither memory nor much sorting.
        if entries.count >= 2 * min(limit, Int.max / 4) + 64 { entries = Array(sorted().prefix(limit)) }
    }

    private func sorted() -> [Entry] {
        entries.sorted { ($0.source, $0.offset, $0.sequence) < ($1.source, $1.offset, $1.sequence) }
    }
}
