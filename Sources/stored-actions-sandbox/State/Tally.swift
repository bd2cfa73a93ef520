/// What has happened since the start, or since the last reset.
struct Tally: Sendable {
    /// A run as it was asked for: two UUIDs instead of a path, for there may be a million.
    struct RunKey: Hashable, Sendable {
        let action: CodedID
        let run: CodedID
    }

    private struct RunCounts {
        var requests = 0
        /// Reads that passed the gate: those that a run's scenario counts.
        var reads = 0
        var finals = 0
    }

    private var runs: [RunKey: RunCounts] = [:]
    private var otherPaths: [String: Int] = [:]
    private var statuses: [String: Int] = [:]
    private var lookups: [CodedID: Int] = [:]
    var submissions = SubmissionLedger()
    private var kinds: [Kind: Int] = [:]
    private var requests = 0
    private var rateLimited = 0
    private var unauthorized = 0
    private var inFlight = 0
    private var maxInFlight = 0

    enum Kind: Sendable {
        case read, run, lookup, token
    }

    init() {}

    /// Starts again while requests in flight have yet to be answered.
    init(continuing old: Tally) {
        inFlight = old.inFlight
        maxInFlight = old.inFlight
    }

    mutating func arrived(_ route: Route, method: String, path: String) {
        requests += 1
        inFlight += 1
        maxInFlight = max(maxInFlight, inFlight)
        if let kind = route.kind { kinds[kind, default: 0] += 1 }
        if let key = route.runKey {
            runs[key, default: RunCounts()].requests += 1
        } else {
            otherPaths["\(method) \(path)", default: 0] += 1
        }
    }

    /// Counts a read or a look-up that passed the gate; 1 for the first of its run or action, and for anything else.
    mutating func attempt(at route: Route) -> Int {
        if case .lookup(let action) = route {
            lookups[action, default: 0] += 1
            return lookups[action] ?? 1
        }
        guard let key = route.runKey else { return 1 }
        runs[key, default: RunCounts()].reads += 1
        return runs[key]?.reads ?? 1
    }

    /// How often this path was asked for.
    func requests(to route: Route, method: String, path: String) -> Int {
        route.runKey.flatMap { runs[$0]?.requests } ?? otherPaths["\(method) \(path)"] ?? 0
    }

    mutating func wasRateLimited() { rateLimited += 1 }
    mutating func wasUnauthorized() { unauthorized += 1 }

    /// `status` is nil when the connection closed without an answer.
    mutating func left(status: Int?, final key: RunKey?) {
        inFlight -= 1
        statuses[status.map(String.init) ?? "none", default: 0] += 1
        if let key { runs[key, default: RunCounts()].finals += 1 }
    }

    var stats: JSON {
        [
            "requests": .int(requests),
            "reads": .int(kinds[.read] ?? 0),
            "runs": .int(kinds[.run] ?? 0),
            "lookups": .int(kinds[.lookup] ?? 0),
            "tokens": .int(kinds[.token] ?? 0),
            "rate_limited": .int(rateLimited),
            "unauthorized": .int(unauthorized),
            "max_in_flight": .int(maxInFlight),
            "by_status": .counts(statuses),
        ]
    }

    var requestsByPath: JSON {
        var counts = otherPaths
        for (key, run) in runs where run.requests > 0 {
            counts["GET \(Route.path(action: key.action, run: key.run))"] = run.requests
        }
        return .counts(counts)
    }

    var finalsByRun: JSON {
        var counts: [String: Int] = [:]
        for (key, run) in runs where run.finals > 0 { counts[key.run.description, default: 0] += run.finals }
        return .counts(counts)
    }
}
