import ActionsAPI
import ExportCore
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
        _ run: FetchedRun, exportID: Int, trustsTables: Bool
    ) throws -> FetchedRun {
        // What is checked only at the COMMIT would otherwise spoil all that stands before it.
        try execute(script: "set constraints all immediate")
        var run = run
        var rejects = RejectLog(exportID: exportID)
        run.refusedResults = try divide(run.resultRows, trustsTables, into: &rejects) {
            try $0.copyResults($1, exportID: exportID)
        } reject: {
            Reject($0, .result, $1, raw: $0.value.bytes)
        }
        run.refusedErrors = try divide(run.errorRows, trustsTables, into: &rejects) {
            try $0.copyErrors($1, exportID: exportID)
        } reject: {
            Reject($0, .error, $1, raw: $0.value.raw)
        }
        try divide(Array(run.apiErrorRows), trustsTables, into: &rejects) {
            try $0.copyAPIErrors($1, exportID: exportID)
        } reject: {
            Reject($0, .apiError, $1, raw: $0.value.error.value?.bytes)
        }
        try divide([run], trustsTables, into: &rejects) {
            try $0.copyBodies($1, exportID: exportID)
        } reject: {
            Reject(key: $0.item.key, what: .body, error: $1)
        }
        do {
            try savepoint { try $0.updateRuns([run], exportID: exportID) }
        } catch let error as PostgresError where error.mayBlameData {
            guard let extra = run.result?.extra else { throw error }
            run.result?.unknownFields = UnknownFields()
            try updateRuns([run], exportID: exportID)
            try rejects.add(Reject(key: run.item.key, what: .extra, error: error, raw: extra[...]), self)
        }
        try rejects.flush(self)
        run.rejects = rejects.count
        return run
    }

    /// Writes the rows, by halves where they are refused, until each culprit stands alone.
    ///
    /// - Returns: the number of culprits.
    /// - Throws: the error itself where it says that the table is at fault, and not one row was taken.
    @discardableResult
    private borrowing func divide<Rows: Collection>(
        _ rows: Rows, _ trustsTables: Bool, into rejects: inout RejectLog,
        _ write: (borrowing PostgresTransaction, Rows.SubSequence) throws -> Void,
        reject: (Rows.Element, PostgresError) -> Reject
    ) throws -> Int {
        var (count, first) = (0, PostgresError?.none)
        try halve(rows[...], write) { row, error in
            (count, first) = (count + 1, first ?? error)
            try rejects.add(reject(row, error), self)
        }
        if !trustsTables, count == rows.count, let first, first.blamesTable { throw first }
        return count
    }

    private borrowing func halve<Rows: Collection>(
        _ rows: Rows, _ write: (borrowing PostgresTransaction, Rows) throws -> Void,
        refused: (Rows.Element, PostgresError) throws -> Void
    ) throws where Rows.SubSequence == Rows {
        guard let first = rows.first else { return }
        do {
            try savepoint { try write($0, rows) }
        } catch let error as PostgresError where error.mayBlameData {
            let count = rows.count
            guard count > 1 else { return try refused(first, error) }
            let middle = rows.index(rows.startIndex, offsetBy: count / 2)
            try halve(rows[..<middle], write, refused: refused)
            try halve(rows[middle...], write, refused: refused)
        }
    }
}

/// The refused parts of one answer on their way to the table, of which there may be as many as parts.
private struct RejectLog {
    private static let limit = 1000

    let exportID: Int
    private(set) var count = 0
    private var waiting: [Reject] = []

    init(exportID: Int) { self.exportID = exportID }

    mutating func add(_ reject: Reject, _ transaction: borrowing PostgresTransaction) throws {
        count += 1
        waiting.append(reject)
        if waiting.count == Self.limit { try flush(transaction) }
    }

    mutating func flush(_ transaction: borrowing PostgresTransaction) throws {
        guard !waiting.isEmpty else { return }
        let (rejects, exportID) = (waiting, exportID)
        waiting = []
        _ = try transaction.copy(
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
