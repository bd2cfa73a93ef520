import CLibPQ

/// The rows that a statement returned, or the number of those it touched.
package struct PostgresRows: Sendable, RandomAccessCollection {
    let result: QueryResult

    package var startIndex: Int { 0 }
    package var endIndex: Int { result.rowCount }
    /// Rows inserted, updated, deleted or selected.
    package var affectedRows: Int { result.affectedRows }

    package subscript(position: Int) -> PostgresRow {
        precondition(indices.contains(position), "row \(position) of \(count)")
        return PostgresRow(result: result, index: position)
    }
}

package struct PostgresRow: Sendable {
    let result: QueryResult
    let index: Int

    /// The value of `column`. Throws an error that names the column when there is no such column, when its type is not
    /// read as `T`, and when it is null and `T` is not optional.
    package func decode<T: PostgresDecodable>(
        _ column: String, as _: T.Type = T.self
    ) throws(PostgresError) -> T {
        do throws(PostgresCell.Mismatch) {
            return try T(postgres: result.cell(row: index, column: column))
        } catch {
            throw PostgresError(.other, operation: "read column \(column)", message: error.reason)
        }
    }
}

/// Owns a `PGresult`; the values of its rows are read where libpq put them.
final class QueryResult: Sendable {
    // A PGresult is read-only once libpq has returned it, so any thread may read it, and `deinit` runs when nothing
    // does any more (libpq, "Behavior in Threaded Programs").
    nonisolated(unsafe) private let raw: OpaquePointer
    private let columns: [String: Int32]
    let rowCount: Int

    init(owning raw: OpaquePointer) {
        self.raw = raw
        self.rowCount = Int(PQntuples(raw))
        var columns: [String: Int32] = [:]
        for column in 0..<PQnfields(raw) {
            columns[String(cString: PQfname(raw, column))] = column
        }
        self.columns = columns
    }

    deinit { PQclear(raw) }

    var affectedRows: Int { Int(String(cString: PQcmdTuples(raw))) ?? 0 }

    /// The first value of a result in the text format.
    var text: String? { rowCount > 0 ? PQgetvalue(raw, 0, 0).map { String(cString: $0) } : nil }

    func cell(row: Int, column name: String) throws(PostgresCell.Mismatch) -> PostgresCell {
        guard let column = columns[name] else { throw PostgresCell.Mismatch(reason: "there is no such column") }
        let row = Int32(row)
        let type = PQftype(raw, column)
        if PQgetisnull(raw, row, column) == 1 { return PostgresCell(type: type, bytes: nil) }
        let bytes = UnsafeRawBufferPointer(
            start: PQgetvalue(raw, row, column), count: Int(PQgetlength(raw, row, column)))
        return PostgresCell(type: type, bytes: bytes)
    }
}
