import ExportCore
import Foundation
import Postgres

/// How a key goes to the database and comes from it: always the stored action first, as in every table's key.
extension RunKey {
    /// Its columns, in the order of `PostgresCopyWriter.key(_:)`.
    static let columns = ["stored_action_id", "run_id"]

    /// - Parameter column: which one holds the run's ID: a chain's key has it in `root_run_id`.
    init(_ row: PostgresRow, run column: String = "run_id") throws(PostgresError) {
        self.init(storedActionID: try row.decode("stored_action_id"), runID: try row.decode(column))
    }

    /// Two parameters.
    var parameters: [PostgresParameter] { [.uuid(storedActionID), .uuid(runID)] }

    /// SQL: the rows `(stored_action_id, run_id)` of the keys in two consecutive parameters, as `[RunKey].parameters`
    /// makes them.
    ///
    /// - Parameter place: of the first of the two parameters.
    static func unnested(as alias: String = "k", at place: Int = 1) -> String {
        "unnest($\(place)::uuid[], $\(place + 1)::uuid[]) as \(alias)(stored_action_id, run_id)"
    }
}

extension RunKey? {
    /// Two parameters, both null without a key.
    var parameters: [PostgresParameter] { [.uuid(self?.storedActionID), .uuid(self?.runID)] }
}

extension [RunKey] {
    /// Two parameters, an array each.
    var parameters: [PostgresParameter] { [.uuids(map(\.storedActionID)), .uuids(map(\.runID))] }
}

extension PostgresCopyWriter {
    /// Two fields: `RunKey.columns`.
    mutating func key(_ key: RunKey) throws(PostgresError) {
        try uuid(key.storedActionID)
        try uuid(key.runID)
    }
}
