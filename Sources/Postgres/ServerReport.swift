import CLibPQ

/// The fields of an error report, by libpq's codes (`PG_DIAG_*` in postgres_ext.h).
private enum Diagnostic: UInt8 {
    case severity = 0x56  // 'V', the one that is never translated
    case translatedSeverity = 0x53  // 'S'
    case sqlstate = 0x43  // 'C'
    case message = 0x4D  // 'M'
    case detail = 0x44  // 'D'
    case hint = 0x48  // 'H'
    case position = 0x50  // 'P'
    case context = 0x57  // 'W'
    case schema = 0x73  // 's'
    case table = 0x74  // 't'
    case column = 0x63  // 'c'
    case dataType = 0x64  // 'd'
    case constraint = 0x6E  // 'n'
    case sourceFile = 0x46  // 'F'
    case sourceLine = 0x4C  // 'L'
    case sourceRoutine = 0x52  // 'R'
}

extension Statements {
    /// What a failed result says; libpq's own words where the server said nothing.
    func error(_ result: OpaquePointer?, operation: String) -> PostgresError {
        func field(_ code: Diagnostic) -> String? {
            PQresultErrorField(result, Int32(code.rawValue)).map { String(cString: $0) }
        }
        let lost = PQstatus(raw) == CONNECTION_BAD
        guard let sqlstate = field(.sqlstate) else {
            // Without a result `PQresultErrorMessage` returns an empty string, never null.
            let message = lost || result == nil ? PQerrorMessage(raw) : PQresultErrorMessage(result)
            return PostgresError(
                lost ? .connectionLost : .other, operation: operation,
                message: message.map { String(cString: $0) } ?? "libpq gave no reason")
        }
        // PgBouncer sends only the other one, and never translates it.
        let severity = field(.severity) ?? field(.translatedSeverity)
        // The report arrives before the end of the connection does.
        let endsSession = lost || ["FATAL", "PANIC"].contains(severity)
        var kind = PostgresError.Kind(sqlstate: sqlstate)
        // 25P03, 57P05 and others end a session too.
        if endsSession, kind == .other { kind = .connectionLost }
        // Only a login can be refused for now: in a statement, 55000 says that the table has no replica identity.
        if sqlstate == "55000" { kind = .other }
        // Said of a binary value that ends too early, on a connection that goes on.
        if !endsSession, sqlstate == "08P01" { kind = .other }
        var error = PostgresError(kind, operation: operation, message: field(.message) ?? "")
        error.severity = severity
        error.sqlstate = sqlstate
        error.detail = field(.detail)
        error.hint = field(.hint)
        error.position = field(.position).flatMap { Int($0) }
        error.context = field(.context)
        error.schema = field(.schema)
        error.table = field(.table)
        error.column = field(.column)
        error.dataType = field(.dataType)
        error.constraint = field(.constraint)
        error.sourceFile = field(.sourceFile)
        error.sourceLine = field(.sourceLine).flatMap { Int($0) }
        error.sourceRoutine = field(.sourceRoutine)
        error.blame(limits)
        return error
    }
}
