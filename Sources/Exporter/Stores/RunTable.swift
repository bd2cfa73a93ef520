/// The tables whose rows hang on a run: they are replaced, deleted and pruned along with it.
/// `SQL/roles.sql` grants the rights to them.
///
/// Statements visit them, and people see them, in the order of the cases.
enum RunTable: String, CaseIterable {
    case results, errors
    case apiErrors = "api_errors"
    case rejects
    case runBodies = "run_bodies"

    /// The stored result: rows that go only when a better answer takes their place.
    static let ofResult: [RunTable] = [.results, .errors]
    /// All others. They describe the last answer only, so every answer that is written down deletes them.
    static let ofLastAnswer = allCases.filter { !ofResult.contains($0) }

    /// With its schema.
    var name: String { "stored_actions.\(rawValue)" }

    /// SQL over `x`, a row of the table, and `r`, a run.
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

    /// The columns that COPY sends, in its order, and the type that each value is sent in.
    var columns: [(name: String, type: String)] {
        switch self {
        case .results:
            [
                ("run_id", "uuid"), ("item_index", "int4"), ("stored_action_id", "uuid"), ("payload", "jsonb"),
                ("payload_raw", "bytea"), ("payload_notes", "text[]"), ("export_id", "int8"),
            ]
        case .errors:
            [
                ("run_id", "uuid"), ("error_index", "int4"), ("stored_action_id", "uuid"), ("code", "text"),
                ("title", "text"), ("detail", "text"), ("delay_seconds", "int8"), ("meta", "jsonb"),
                ("extra", "jsonb"), ("raw", "bytea"), ("notes", "text[]"), ("export_id", "int8"),
            ]
        case .apiErrors:
            [
                ("stored_action_id", "uuid"), ("run_id", "uuid"), ("error_index", "int4"), ("http_status", "int4"),
                ("status", "int4"), ("code", "text"), ("title", "text"), ("detail", "text"),
                ("source_pointer", "text"), ("source_parameter", "text"), ("source_header", "text"),
                ("meta", "jsonb"), ("occurred_at", "timestamptz"), ("export_id", "int8"),
            ]
        case .rejects:
            [
                ("stored_action_id", "uuid"), ("run_id", "uuid"), ("what", "text"), ("position", "int4"),
                ("reason", "text"), ("sqlstate", "text"), ("raw", "bytea"), ("export_id", "int8"),
            ]
        case .runBodies:
            [("stored_action_id", "uuid"), ("run_id", "uuid"), ("body", "bytea"), ("export_id", "int8")]
        }
    }
}
