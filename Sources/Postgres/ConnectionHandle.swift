import CLibPQ

/// Owns a `PGconn`: it is finished when the handle goes, and cannot be finished twice.
struct ConnectionHandle: ~Copyable {
    /// nil once closed.
    private(set) var raw: OpaquePointer?

    init(owning raw: OpaquePointer) {
        self.raw = raw
    }

    deinit { if let raw { PQfinish(raw) } }

    mutating func close() {
        if let raw { PQfinish(raw) }
        raw = nil
    }

    /// Hands the connection over to another owner.
    mutating func release() -> OpaquePointer? {
        defer { raw = nil }
        return raw
    }

    /// The server still answers and no transaction is open.
    var isIdle: Bool {
        guard let raw else { return false }
        return PQstatus(raw) == CONNECTION_OK && PQtransactionStatus(raw) == PQTRANS_IDLE
    }
}

/// Statements on an open `PGconn`. Every call blocks, so it runs on the connection's executor alone.
struct Statements {
    let raw: OpaquePointer
    /// That may end one of them.
    var limits = SessionLimits()
    /// The server process that has to run all of them; nil where nothing between could choose another.
    var pinned: Int32?

    /// One statement with parameters; its rows come in the binary format.
    func query(
        _ sql: String, _ parameters: [PostgresParameter], operation: String
    ) throws(PostgresError) -> PostgresRows {
        try refuseNUL(in: sql, operation: operation)
        if let refusal = parameters.lazy.compactMap(\.refusal).first {
            throw PostgresError(.data, operation: operation, message: refusal)
        }
        guard parameters.allSatisfy({ Int32(exactly: $0.bytes?.count ?? 0) != nil }) else {
            throw PostgresError(.data, operation: operation, message: "a parameter is longer than PostgreSQL takes")
        }
        // All values in one buffer, so that one pointer keeps them all alive.
        var bytes: [CChar] = []
        bytes.reserveCapacity(parameters.reduce(1) { $0 + ($1.bytes?.count ?? 0) })
        var offsets: [Int?] = []
        for parameter in parameters {
            offsets.append(parameter.bytes == nil ? nil : bytes.count)
            parameter.bytes?.withUnsafeBytes { bytes.append(contentsOf: $0.bindMemory(to: CChar.self)) }
        }
        // An empty value still needs an address: a null pointer would be a null.
        bytes.append(0)
        let result = bytes.withUnsafeBufferPointer { buffer in
            awaitResult {
                PQsendQueryParams(
                    raw, sql, Int32(clamping: parameters.count), parameters.map(\.type),
                    offsets.map { offset in offset.flatMap { buffer.baseAddress?.advanced(by: $0) } },
                    parameters.map { Int32(clamping: $0.bytes?.count ?? 0) },
                    Array(repeating: 1, count: parameters.count), 1)
            }
        }
        return PostgresRows(result: try checked(result, operation: operation))
    }

    /// Any number of statements in the simple protocol, which makes them one transaction unless they say otherwise.
    /// The result of the last one.
    @discardableResult
    func execute(_ sql: String, operation: String) throws(PostgresError) -> QueryResult {
        try refuseNUL(in: sql, operation: operation)
        return try checked(awaitResult { PQsendQuery(raw, sql) }, operation: operation)
    }

    /// The last of several results, as `PQexec` returns it; but the first of several failures: when the server ends a
    /// session, its report is followed by libpq's own, which only says that the connection is gone.
    ///
    /// - Parameter send: calls the function of libpq that sends the statement, and returns what that returned.
    func awaitResult(ofSending send: () -> Int32) -> OpaquePointer? {
        // What an earlier COPY left unread would keep the statement from being sent. `PQexec` discards it, too.
        while let stale = PQgetResult(raw) {
            let isLast = endsResults(stale)
            PQclear(stale)
            if isLast { break }
        }
        guard send() == 1 else { return nil }
        var kept: OpaquePointer?
        while let result = PQgetResult(raw) {
            let isLast = endsResults(result)
            if let failure = kept, PQresultStatus(failure) == PGRES_FATAL_ERROR {
                PQclear(result)
            } else {
                PQclear(kept)
                kept = result
            }
            if isLast { break }
        }
        return kept
    }

    /// No other result follows before the caller acts: `PQgetResult` would return one like this forever.
    private func endsResults(_ result: OpaquePointer) -> Bool {
        [PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH].contains(PQresultStatus(result))
            || PQstatus(raw) == CONNECTION_BAD
    }

    /// Takes over `result` when it is one that a finished statement has; throws what it says otherwise.
    private func checked(_ result: OpaquePointer?, operation: String) throws(PostgresError) -> QueryResult {
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
            if let result { return QueryResult(owning: result) }
            throw error(nil, operation: operation)
        case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
            PQclear(result)
            endCopy()
            throw PostgresError(.other, operation: operation, message: "COPY goes through `copy(into:)` alone")
        default:
            defer { PQclear(result) }
            throw error(result, operation: operation)
        }
    }

    private func endCopy() {
        _ = PQputCopyEnd(raw, "COPY is not read here")
        while let result = PQgetResult(raw) {
            let status = PQresultStatus(result)
            PQclear(result)
            var line: UnsafeMutablePointer<CChar>?
            while status == PGRES_COPY_OUT, PQgetCopyData(raw, &line, 0) > 0 { PQfreemem(line) }
        }
    }

    private func refuseNUL(in sql: String, operation: String) throws(PostgresError) {
        // C would take it for the end of the statement.
        if sql.utf8.contains(0) {
            throw PostgresError(.data, operation: operation, message: "the statement holds a NUL")
        }
    }
}
