import CLibPQ

/// The three steps of `COPY … FROM STDIN` in libpq.
extension Statements {
    func beginCopy(_ sql: String, operation: String) throws(PostgresError) {
        let result = awaitResult { PQsendQuery(raw, sql) }
        defer { PQclear(result) }
        if PQresultStatus(result) != PGRES_COPY_IN { throw error(result, operation: operation) }
    }

    /// The server's error, when it has given up the COPY before all rows were sent.
    func put(_ bytes: UnsafeRawBufferPointer, operation: String) throws(PostgresError) {
        guard !bytes.isEmpty else { return }
        let status = PQputCopyData(raw, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count))
        if status != 1 { throw finish(operation: operation).failure ?? error(nil, operation: operation) }
    }

    /// The number of rows.
    func endCopy(operation: String) throws(PostgresError) -> Int {
        guard PQputCopyEnd(raw, nil) == 1 else {
            throw finish(operation: operation).failure ?? error(nil, operation: operation)
        }
        let end = finish(operation: operation)
        if let failure = end.failure { throw failure }
        return end.rows
    }

    /// Ends the COPY without its rows. What the server said against it before, if it did.
    func abortCopy(operation: String) -> PostgresError? {
        // Fails when the server has ended the COPY already: then its error was fetched when that was noticed.
        guard PQputCopyEnd(raw, "given up by the client") == 1 else { return nil }
        return finish(operation: operation).failure
    }

    private func finish(operation: String) -> (rows: Int, failure: PostgresError?) {
        var rows = 0
        var failure: PostgresError?
        while let result = PQgetResult(raw) {
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK: rows = Int(String(cString: PQcmdTuples(result))) ?? 0
            // Told again on a broken connection: there is nothing to end any more.
            case PGRES_COPY_IN: return (rows, failure ?? error(result, operation: operation))
            default: failure = failure ?? error(result, operation: operation)
            }
        }
        return (rows, failure)
    }
}
