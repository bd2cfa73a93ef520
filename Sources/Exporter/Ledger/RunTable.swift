/// The tables whose rows belong to a run: they are replaced, counted and pruned with it.
enum RunTable: String, CaseIterable {
    case results, errors
    case apiErrors = "api_errors"
    case rejects
    case runBodies = "run_bodies"

    var name: String { "stored_actions.\(rawValue)" }

    /// SQL over `x`, a row of the table, and `r`, a run or its key.
    var isOfRun: String { "x.stored_action_id = r.stored_action_id and x.run_id = r.run_id" }

    /// SQL over `x`: the bytes that its wide columns take, as they are stored.
    var size: String {
        let columns =
            switch self {
            case .results: ["payload", "payload_raw"]
            case .errors: ["title", "detail", "meta", "extra", "raw"]
            case .apiErrors: ["title", "detail", "meta"]
            case .rejects: ["reason", "raw"]
            case .runBodies: ["body"]
            }
        return columns.map { "coalesce(pg_column_size(x.\($0)), 0)" }.joined(separator: " + ")
    }
}
