import ActionsAPI
import Foundation
import JSONText
import Postgres

/// A part of an answer that PostgreSQL would not take.
struct Reject: Sendable {
    /// As `rejects.what` spells it.
    enum What: String, Sendable {
        case result, error, extra, body
        case apiError = "api_error"
    }

    var key: RunKey
    var what: What
    /// Place in the answer's array; nil for what has none.
    var position: Int?
    var error: PostgresError
    var raw: ArraySlice<UInt8>?
}

/// The slow way to write an answer, for one that was refused as a whole: part by part, so that what PostgreSQL refuses
/// stands alone in `rejects` and all else is stored.
extension PostgresTransaction {
    /// - Parameter trustsTables: they have taken rows before, in this export.
    /// - Returns: the run with the count of what was refused.
    /// - Throws: `PostgresError` where no part of the answer is to blame.
    borrowing func writePartByPart(
        _ run: LoadedRun, exportID: Int, trustsTables: Bool
    ) throws -> LoadedRun {
        // What is checked only at the COMMIT would otherwise spoil all that stands before it.
        try execute(script: "set constraints all immediate")
        var run = run
        let results = try culprits(in: run.resultRows, trustsTables) {
            try $0.copyResults($1, exportID: exportID)
        }
        let errors = try culprits(in: run.errorRows, trustsTables) { try $0.copyErrors($1, exportID: exportID) }
        let apiErrors = try culprits(in: Array(run.apiErrorRows), trustsTables) {
            try $0.copyAPIErrors($1, exportID: exportID)
        }
        let bodies = try culprits(in: [run], trustsTables) { try $0.copyBodies($1, exportID: exportID) }
        run.refusedResults = results.count
        run.refusedErrors = errors.count
        var rejects =
            results.map { Reject($0.row, .result, $0.error, raw: $0.row.value.bytes) }
            + errors.map { Reject($0.row, .error, $0.error, raw: $0.row.value.raw) }
            + apiErrors.map { Reject($0.row, .apiError, $0.error, raw: $0.row.value.error.value?.bytes) }
            + bodies.map { Reject(key: run.item.key, what: .body, error: $0.error) }
        do {
            try savepoint { try $0.updateRuns([run], exportID: exportID) }
        } catch let error as PostgresError where error.mayBlameData {
            guard let extra = run.result?.extra else { throw error }
            run.result?.unknownFields = UnknownFields()
            try updateRuns([run], exportID: exportID)
            rejects.append(Reject(key: run.item.key, what: .extra, error: error, raw: extra[...]))
        }
        try copy(rejects, exportID: exportID)
        run.rejects = rejects.count
        return run
    }

    /// Writes the rows, by halves where they are refused, until each culprit stands alone.
    ///
    /// - Throws: the error itself where it says that the table is at fault, and not one row was taken.
    private borrowing func culprits<Rows: Collection>(
        in rows: Rows, _ trustsTables: Bool,
        _ write: (borrowing PostgresTransaction, Rows.SubSequence) throws -> Void
    ) throws -> [(row: Rows.Element, error: PostgresError)] {
        let found = try halve(rows[...], write)
        if !trustsTables, found.count == rows.count, let error = found.first?.error, error.blamesTable { throw error }
        return found
    }

    private borrowing func halve<Rows: Collection>(
        _ rows: Rows, _ write: (borrowing PostgresTransaction, Rows) throws -> Void
    ) throws -> [(row: Rows.Element, error: PostgresError)] where Rows.SubSequence == Rows {
        guard let first = rows.first else { return [] }
        do {
            try savepoint { try write($0, rows) }
            return []
        } catch let error as PostgresError where error.mayBlameData {
            let count = rows.count
            guard count > 1 else { return [(first, error)] }
            let middle = rows.index(rows.startIndex, offsetBy: count / 2)
            return try halve(rows[..<middle], write) + halve(rows[middle...], write)
        }
    }

    private borrowing func copy(_ rejects: [Reject], exportID: Int) throws {
        guard !rejects.isEmpty else { return }
        _ = try copy(
            into: "stored_actions.rejects",
            columns: ["stored_action_id", "run_id", "what", "position", "reason", "sqlstate", "raw", "export_id"]
        ) { writer in
            for reject in rejects {
                try writer.beginRow()
                try writer.uuid(reject.key.storedActionID)
                try writer.uuid(reject.key.runID)
                try writer.text(reject.what.rawValue)
                try writer.int4(reject.position.map { Int32(clamping: $0) })
                try writer.text(storable(reject.error.description))
                try writer.text(reject.error.sqlstate)
                try writer.bytea(reject.raw)
                try writer.int8(Int64(exportID))
            }
        }
    }
}

extension Reject {
    fileprivate init<Value>(
        _ row: AnswerRow<Value>, _ what: What, _ error: PostgresError, raw: ArraySlice<UInt8>?
    ) {
        self.init(key: row.key, what: what, position: row.position, error: error, raw: raw)
    }
}

extension PostgresError {
    /// What was to be written may be at fault, not the state of the database: whatever the server says of it, except that
    /// its own files are damaged, that the schema is not as it was made, or that the role lacks a right.
    var mayBlameData: Bool {
        guard [.data, .rowsDropped, .other].contains(kind), !isSchemaFault else { return false }
        return sqlstate != "XX001" && sqlstate != "XX002"
    }

    /// Class 42: a name or a type that the statement, or a trigger's function, uses is not there.
    var blamesTable: Bool { sqlstate?.hasPrefix("42") == true }
}
