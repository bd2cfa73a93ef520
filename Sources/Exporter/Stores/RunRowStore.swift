import ActionsAPI
import ExportCore
import Foundation
import JSONText
import Postgres

/// The rows that hang on a run: deletes those of its answers so far, and sends those of a new one by COPY.
enum RunRowStore {
    static func delete(
        from tables: [RunTable], of keys: [RunKey], in transaction: borrowing PostgresTransaction
    ) throws {
        guard !keys.isEmpty else { return }
        for table in tables {
            _ = try transaction.query(
                """
                delete from \(table.name) x
                 using \(RunKey.unnested(as: "r"))
                 where \(table.isOfRun)
                """, keys.parameters)
        }
    }

    /// All rows of these answers at once.
    static func copy(_ runs: [FetchedRun], exportID: Int, in transaction: borrowing PostgresTransaction) throws {
        if runs.contains(where: { ($0.result?.resultCount ?? 0) > 0 }) {
            try copyResults(runs.lazy.flatMap(\.resultRows), exportID: exportID, in: transaction)
        }
        if runs.contains(where: { $0.result?.errors.isEmpty == false }) {
            try copyErrors(runs.lazy.flatMap(\.errorRows), exportID: exportID, in: transaction)
        }
        if runs.contains(where: { !$0.apiErrors.isEmpty }) {
            try copyAPIErrors(runs.lazy.flatMap(\.apiErrorRows), exportID: exportID, in: transaction)
        }
        if runs.contains(where: { $0.finalBody != nil }) {
            try copyBodies(runs, exportID: exportID, in: transaction)
        }
    }

    static func copyResults(
        _ rows: some Sequence<AnswerRow<JSONValue>>, exportID: Int, in transaction: borrowing PostgresTransaction
    ) throws {
        try copy(into: .results, transaction) { writer in
            for row in rows {
                let stored = StoredJSON(row.value)
                try writer.beginRow(of: row)
                try writer.jsonb(stored.json)
                try writer.bytea(stored.raw)
                try writer.texts(stored.notes)
                try writer.int8(Int64(exportID))
            }
        }
    }

    static func copyErrors(
        _ rows: some Sequence<AnswerRow<ErrorRow>>, exportID: Int, in transaction: borrowing PostgresTransaction
    ) throws {
        try copy(into: .errors, transaction) { writer in
            for row in rows {
                try writer.beginRow(of: row)
                switch row.value {
                case .single(let error): try writer.columns(of: error)
                case .rest(_, _, let count): try writer.columns(ofRest: row.value.raw, count: count)
                }
                try writer.int8(Int64(exportID))
            }
        }
    }

    static func copyAPIErrors(
        _ rows: some Sequence<AnswerRow<AnsweredError>>, exportID: Int, in transaction: borrowing PostgresTransaction
    ) throws {
        try copy(into: .apiErrors, transaction) { writer in
            for row in rows {
                let error = row.value.error
                try writer.beginRow()
                try writer.key(row.key)
                try writer.int4(Int32(clamping: row.position))
                try writer.int4(Int32(clamping: row.value.httpStatus))
                try writer.int4(error.status.flatMap { Int32(exactly: $0) })
                try writer.text(storable(error.code))
                try writer.text(storable(error.title))
                try writer.text(storable(error.detail))
                try writer.text(storable(error.sourcePointer))
                try writer.text(storable(error.sourceParameter))
                try writer.text(storable(error.sourceHeader))
                try writer.jsonb(error.meta.flatMap { StoredJSON($0).json })
                try writer.timestamptz(row.value.answeredAt)
                try writer.int8(Int64(exportID))
            }
        }
    }

    static func copyBodies(
        _ runs: some Sequence<FetchedRun>, exportID: Int, in transaction: borrowing PostgresTransaction
    ) throws {
        try copy(into: .runBodies, transaction) { writer in
            for run in runs {
                guard let body = run.finalBody else { continue }
                try writer.beginRow()
                try writer.key(run.item.key)
                try writer.bytea(body)
                try writer.int8(Int64(exportID))
            }
        }
    }

    static func copyRejects(_ rejects: [Reject], exportID: Int, in transaction: borrowing PostgresTransaction) throws {
        try copy(into: .rejects, transaction) { writer in
            for reject in rejects {
                try writer.beginRow()
                try writer.key(reject.key)
                try writer.text(reject.what.rawValue)
                try writer.int4(reject.position.map { Int32(clamping: $0) })
                try writer.text(storable(reject.error.description))
                try writer.text(reject.error.sqlstate)
                try writer.bytea(reject.raw)
                try writer.int8(Int64(exportID))
            }
        }
    }

    private static func copy(
        into table: RunTable, _ transaction: borrowing PostgresTransaction,
        _ write: (inout PostgresCopyWriter) throws -> Void
    ) throws {
        _ = try transaction.copy(into: table.name, columns: table.columns.map(\.name), write)
    }
}

extension PostgresCopyWriter {
    /// With the row's key in the order that `results` and `errors` have: run, index, stored action.
    fileprivate mutating func beginRow<Value>(of row: AnswerRow<Value>) throws {
        try beginRow()
        try uuid(row.key.runID)
        try int4(Int32(clamping: row.position))
        try uuid(row.key.storedActionID)
    }

    /// From `code` to `notes`.
    fileprivate mutating func columns(of error: PartnerError) throws {
        let value = error.value
        // Either of meta and extra may be a level deeper than the error, or a little longer.
        let notes = value.flatMap { StoredJSON($0).notes }
        let (meta, extra) = (error.meta.map(StoredJSON.init), error.extra.map(StoredJSON.init(text:)))
        let changes = notes ?? meta?.notes ?? extra?.notes
        try text(storable(error.code))
        try text(storable(error.title))
        try text(storable(error.detail))
        try int8(error.delay.map(Int64.init))
        try jsonb(meta?.json)
        try jsonb(extra?.json)
        try bytea(changes == nil ? nil : value?.bytes)
        try texts(value == nil ? nil : changes)
    }

    /// The same of the errors that share a run's last row.
    fileprivate mutating func columns(ofRest raw: ArraySlice<UInt8>?, count: Int) throws {
        for _ in ["code", "title", "detail", "delay_seconds", "meta"] { try null() }
        try jsonb(Array(#"{"errors": \#(count)}"#.utf8))
        try bytea(raw)
        try texts([
            "(the whole row): \(count) errors as one array, for a run has at most \(PartnerErrors.mostRows) rows"
        ])
    }
}
