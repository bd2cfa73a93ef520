import CLibPQ

/// An open transaction. It lives on the connection's executor, as long as the body that it is handed to: nothing in
/// there awaits, so no other statement gets in between.
package struct PostgresTransaction: ~Copyable {
    let statements: Statements
    private let cancellation: OperationCancellation
    private let lockLimit: Duration?

    /// - Parameter lockLimit: how long a statement may wait for a lock, in place of the session's own limit.
    init(_ statements: Statements, _ cancellation: OperationCancellation, lockLimit: Duration?) {
        var statements = statements
        // So that 55P03 does not name the session's.
        if lockLimit != nil { statements.limits = statements.limits.without("lock_timeout") }
        self.statements = statements
        self.cancellation = cancellation
        self.lockLimit = lockLimit
    }

    /// One statement with its parameters.
    package func query(
        _ sql: String, _ parameters: [PostgresParameter] = []
    ) throws(PostgresError) -> PostgresRows {
        try checkCancellation("query")
        let rows = try statements.query(sql, parameters, operation: "query")
        try checkStillOpen("query")
        return rows
    }

    /// Any number of statements without parameters.
    package func execute(script: String) throws(PostgresError) {
        try checkCancellation("script")
        try statements.execute(script, operation: "script")
        try checkStillOpen("script")
    }

    /// `COPY … FROM STDIN` in the binary format; returns the number of rows. A failure, of the server's or of `write`,
    /// leaves the transaction to be rolled back. Throws `.rowsDropped` if a trigger kept some of the rows out.
    ///
    /// - Parameters:
    ///   - table: SQL text that the caller vouches for, such as `stored_actions.results`.
    ///   - columns: names, quoted here. The fields of every row follow in this order, and in exactly their types.
    package func copy(
        into table: String, columns: [String], _ write: (inout PostgresCopyWriter) throws -> Void
    ) throws -> Int {
        let operation = "copy into \(table)"
        try checkCancellation(operation)
        let names = columns.map(quoteIdentifier).joined(separator: ", ")
        try statements.beginCopy("copy \(table) (\(names)) from stdin (format binary)", operation: operation)
        var writer = PostgresCopyWriter(
            statements: statements, cancellation: cancellation, columns: columns.count, operation: operation)
        do {
            try write(&writer)
            try writer.finish()
        } catch {
            // What the server said goes before what failed here because of it.
            if let report = statements.abortCopy(operation: operation), report.sqlstate != "57014" { throw report }
            throw error
        }
        let stored = try statements.endCopy(operation: operation)
        if stored < writer.rows {
            throw PostgresError(
                .rowsDropped, operation: operation,
                message: "a trigger dropped \(writer.rows - stored) of \(writer.rows) rows")
        }
        return stored
    }

    /// Whatever the database's own setting is: once the COMMIT returns, the transaction outlives a crash of the server.
    package func makeDurable() throws(PostgresError) {
        try execute(script: "set local synchronous_commit = on")
    }

    /// Runs `body` so that a throw of it undoes what it did and nothing that was done before. Such parts do not nest.
    package func savepoint<R>(_ body: (borrowing PostgresTransaction) throws -> R) throws -> R {
        try execute(script: "savepoint part")
        do {
            let value = try body(self)
            try execute(script: "release savepoint part")
            return value
        } catch {
            // A connection that is gone takes the whole transaction with it.
            if PQstatus(statements.raw) != CONNECTION_BAD {
                try statements.execute("rollback to savepoint part; release savepoint part", operation: "rollback")
            }
            throw error
        }
    }

    private func checkCancellation(_ operation: String) throws(PostgresError) {
        if cancellation.isRequested { throw PostgresConnection.cancelled(operation) }
    }

    private func checkStillOpen(_ operation: String) throws(PostgresError) {
        if PQtransactionStatus(statements.raw) == PQTRANS_IDLE {
            throw PostgresError(
                .other, operation: operation,
                message: "the statement ended the transaction, which ends automatically after its body")
        }
    }
}

extension PostgresTransaction {
    /// Begin, body, COMMIT; a throw of the body, or a cancellation before COMMIT, rolls back.
    consuming func run<R>(_ body: (borrowing PostgresTransaction) throws -> R) throws -> PostgresConnection.Commit<R> {
        try statements.begin()
        let value: R
        do {
            if let lockLimit { try limitLocks(to: lockLimit) }
            value = try body(self)
            try checkCancellation("transaction")
            // A body that swallowed an error would otherwise get a COMMIT that rolls back without a word.
            guard PQtransactionStatus(statements.raw) == PQTRANS_INTRANS else {
                throw PostgresError(
                    PQstatus(statements.raw) == CONNECTION_BAD ? .connectionLost : .other, operation: "commit",
                    message: "a statement of the transaction had failed, so it cannot be committed")
            }
        } catch {
            // A connection that cannot even roll back is closed by its owner, which has the same effect.
            if PQtransactionStatus(statements.raw) != PQTRANS_IDLE {
                _ = try? statements.execute("rollback", operation: "rollback")
            }
            throw error
        }
        do {
            try statements.execute("commit", operation: "commit")
        } catch {
            guard PQstatus(statements.raw) == CONNECTION_BAD else { throw error }
            // Even 57P01 proves nothing: the server may say it after the commit was made.
            var unknown = error
            unknown.kind = .commitUnknown
            return .unknown(value, unknown)
        }
        return .committed(value)
    }

    private borrowing func limitLocks(to limit: Duration) throws(PostgresError) {
        // 0 would be no limit.
        let milliseconds = max(1, Int(limit / Duration.milliseconds(1)))
        try statements.execute("set local lock_timeout = \(milliseconds)", operation: "limit locks")
    }
}

extension Statements {
    /// - Throws: of kind `setting` if a pooler has lent another server process than the session's.
    fileprivate func begin() throws(PostgresError) {
        guard let pinned else {
            try execute("begin", operation: "begin")
            return
        }
        let result = try execute("begin; select pg_catalog.pg_backend_pid()", operation: "begin")
        if result.text.flatMap({ Int32($0) }) != pinned { throw PoolerProbe.refusal }
    }
}
