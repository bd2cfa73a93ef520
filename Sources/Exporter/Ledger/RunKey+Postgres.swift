import ExportCore
import Foundation
import Postgres

/// How keys of runs travel to the database and back: two columns of `uuid`, the stored action first.
extension RunKey {
    /// - Parameter column: the one with the run's ID; the stored action's is `stored_action_id`.
    init(_ row: PostgresRow, run column: String = "run_id") throws {
        self.init(storedActionID: try row.decode("stored_action_id"), runID: try row.decode(column))
    }

    var parameters: [PostgresParameter] { [.uuid(storedActionID), .uuid(runID)] }
}

extension Collection<RunKey> {
    /// Two arrays, for `unnest`.
    var parameters: [PostgresParameter] { [.uuids(map(\.storedActionID)), .uuids(map(\.runID))] }
}
