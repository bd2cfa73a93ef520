/// The POSTs that got through the gate, and the runs that they started.
struct SubmissionLedger: Sendable {
    /// What was asked for, in the client's own words.
    struct Request: Hashable, Sendable {
        let action: CodedID
        /// The page of a bulk read that is meant; nil for anything else.
        let page: BulkPage?
        /// `page` as it was sent; nil when it was not.
        let cursor: String?
        let inputsHash: String
    }

    /// What came of a POST.
    struct Outcome: Equatable, Sendable {
        /// nil when none was started.
        let run: CodedID?
        /// Whether the course of its chain befell it.
        let isTroubled: Bool
    }

    /// What counts as the same: whatever the spelling of the cursor and the inputs.
    private struct Target: Hashable {
        let action: CodedID
        let page: BulkPage?
    }

    private var posts: [Target: Int] = [:]
    private var starts: [Target: Int] = [:]
    private var requests: [Request: (posts: Int, runs: [CodedID])] = [:]

    init() {}

    /// Counts a POST that the action or the body itself is wrong for: it starts nothing.
    mutating func refused(_ request: Request) {
        requests[request, default: (0, [])].posts += 1
    }

    /// Counts a POST and starts its run, unless the course of its chain forbids it.
    mutating func submitted(_ request: Request) -> Outcome {
        let target = Target(action: request.action, page: request.page)
        posts[target, default: 0] += 1
        requests[request, default: (0, [])].posts += 1
        let isTroubled = request.page?.isTroubled(.posts, posts[target] ?? 1) ?? false
        if isTroubled, request.page?.course.startsRun == false { return Outcome(run: nil, isTroubled: true) }
        starts[target, default: 0] += 1
        let run = Self.run(of: target, ordinal: starts[target] ?? 1)
        requests[request, default: (0, [])].runs.append(run)
        return Outcome(run: run, isTroubled: isTroubled)
    }

    private static func run(of target: Target, ordinal: Int) -> CodedID {
        target.page?.run(ordinal: UInt16(truncatingIfNeeded: ordinal))
            ?? Scenario.success.id(stableHash("\(target.action) \(ordinal - 1)"))
    }

    var json: JSON {
        let lines = requests.sorted { Self.order($0.key) < Self.order($1.key) }.map { request, counts -> JSON in
            [
                "stored_action_id": .string(request.action.description),
                "root_run_id": request.page.map { .string($0.root.run().description) } ?? .null,
                "page": request.cursor.map(JSON.string) ?? .null,
                "inputs_hash": .string(request.inputsHash),
                "posts": .int(counts.posts),
                "runs_started": .int(counts.runs.count),
                "run_ids": .array(counts.runs.map { .string($0.description) }),
            ]
        }
        return [
            "posts": .int(requests.values.reduce(0) { $0 + $1.posts }),
            "runs_started": .int(requests.values.reduce(0) { $0 + $1.runs.count }),
            "submissions": .array(lines),
        ]
    }

    private static func order(_ request: Request) -> String {
        "\(request.action) \(request.page?.run().description ?? "") \(request.cursor ?? "") \(request.inputsHash)"
    }
}
