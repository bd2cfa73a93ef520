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
/// is in `rejects` and everything else is stored.
struct PartByPart {
    let exportID: Int
    /// They have taken rows before, in this export.
    let trustsTables: Bool

    /// - Returns: the run with the count of what was refused.
    /// - Throws: `PostgresError` where no part of the answer is to blame.
    func write(_ run: FetchedRun, in transaction: borrowing PostgresTransaction) throws -> FetchedRun {
        // What is checked only at the COMMIT would otherwise spoil everything before it.
        try transaction.execute(script: "set constraints all immediate")
        var run = run
        var rejects = RejectLog(exportID: exportID)
        run.refusedResults = try divide(run.resultRows, into: &rejects, in: transaction) {
            try RunRowStore.copyResults($1, exportID: exportID, in: $0)
        } reject: {
            Reject($0, .result, $1, raw: $0.value.bytes)
        }
        run.refusedErrors = try divide(run.errorRows, into: &rejects, in: transaction) {
            try RunRowStore.copyErrors($1, exportID: exportID, in: $0)
        } reject: {
            Reject($0, .error, $1, raw: $0.value.raw)
        }
        try divide(Array(run.apiErrorRows), into: &rejects, in: transaction) {
            try RunRowStore.copyAPIErrors($1, exportID: exportID, in: $0)
        } reject: {
            Reject($0, .apiError, $1, raw: $0.value.error.value?.bytes)
        }
        try divide([run], into: &rejects, in: transaction) {
            try RunRowStore.copyBodies($1, exportID: exportID, in: $0)
        } reject: {
            Reject(key: $0.item.key, what: .body, error: $1)
        }
        do {
            try transaction.savepoint { try RunStore.update([run], exportID: exportID, in: $0) }
        } catch let error as PostgresError where error.mayBlameData {
            guard let extra = run.unknownFields.object() else { throw error }
            run.isExtraRefused = true
            try RunStore.update([run], exportID: exportID, in: transaction)
            try rejects.add(Reject(key: run.item.key, what: .extra, error: error, raw: extra[...]), transaction)
        }
        try rejects.flush(transaction)
        run.rejects = rejects.count
        return run
    }

    /// Writes the rows, by halves where they are refused, until each culprit is alone.
    ///
    /// - Returns: the number of culprits.
    /// - Throws: the error itself where it says that the table is at fault, and not one row was taken.
    @discardableResult
    private func divide<Rows: Collection>(
        _ rows: Rows, into rejects: inout RejectLog, in transaction: borrowing PostgresTransaction,
        _ write: (borrowing PostgresTransaction, Rows.SubSequence) throws -> Void,
        reject: (Rows.Element, PostgresError) -> Reject
    ) throws -> Int {
        var (count, first) = (0, PostgresError?.none)
        try halve(rows[...], in: transaction, write) { row, error in
            (count, first) = (count + 1, first ?? error)
            try rejects.add(reject(row, error), transaction)
        }
        if !trustsTables, count == rows.count, let first, first.blamesTable { throw first }
        return count
    }

    private func halve<Rows: Collection>(
        _ rows: Rows, in transaction: borrowing PostgresTransaction,
        _ write: (borrowing PostgresTransaction, Rows) throws -> Void,
        refused: (Rows.Element, PostgresError) throws -> Void
    ) throws where Rows.SubSequence == Rows {
        guard let first = rows.first else { return }
        do {
            try transaction.savepoint { try write($0, rows) }
        } catch let error as PostgresError where error.mayBlameData {
            let count = rows.count
            guard count > 1 else { return try refused(first, error) }
            let middle = rows.index(rows.startIndex, offsetBy: count / 2)
            try halve(rows[..<middle], in: transaction, write, refused: refused)
            try halve(rows[middle...], in: transaction, write, refused: refused)
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
        try RunRowStore.copyRejects(rejects, exportID: exportID, in: transaction)
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
    /// What was to be written may be at fault, not the state of the database: whatever the server says of it, except
    /// that its own files are damaged, that the schema is not as it was made, or that the role lacks a right.
    var mayBlameData: Bool {
        guard [.data, .rowsDropped, .other].contains(kind), !isSchemaFault else { return false }
        return sqlstate != "XX001" && sqlstate != "XX002"
    }

    /// Class 42: a name or a type that the statement, or a trigger's function, uses is not there.
    var blamesTable: Bool { sqlstate?.hasPrefix("42") == true }
}
