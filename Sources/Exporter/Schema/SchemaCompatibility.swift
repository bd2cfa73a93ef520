import Migrations
import Postgres

/// Reading a schema that a newer version has migrated. Each migration says since which version a binary can still read
/// what it left: enough for `status`, `check` and `prune --dry-run`, never for writing.
extension Migrator {
    /// Makes sure that this binary can read the schema. Changes nothing.
    ///
    /// - Returns: for people, how the schema is newer; nil if it is this binary's own.
    /// - Throws: `SchemaProblem`, of kind `newer` if the schema does not say that it can be read; `PostgresError`.
    package func requireReadable(on session: PostgresSession) async throws -> String? {
        try await session.transaction { transaction in
            try requireReadable(in: transaction)
        } wasCommitted: { _ in
            true
        }
    }

    func requireReadable(in transaction: borrowing PostgresTransaction) throws -> String? {
        let notice = try noticeIfNewer(in: transaction)
        if notice == nil, let pending = try plan(transaction.appliedMigrations()).first {
            throw SchemaProblem(behind: pending)
        }
        return notice
    }

    /// The same of a schema that may also be behind.
    package func noticeIfNewer(on session: PostgresSession) async throws -> String? {
        try await session.transaction { transaction in
            try noticeIfNewer(in: transaction)
        } wasCommitted: { _ in
            true
        }
    }

    private func noticeIfNewer(in transaction: borrowing PostgresTransaction) throws -> String? {
        if let refusal = try SchemaOwnership(transaction).refusalOfUse { throw refusal }
        let applied = try transaction.appliedMigrations()
        let own = migrations.last?.version ?? 0
        guard let newest = applied.last?.version, newest > own else { return nil }
        try requireSame(applied)
        guard let since = try transaction.compatibleSince(afterVersion: own), since <= own else {
            throw SchemaProblem(newest: newest, own: own)
        }
        return
            "the schema is at version \(newest), newer than this binary's \(own), and can still be read since version "
            + "\(since); export, resolve and prune need a newer stored-actions"
    }
}

extension PostgresTransaction {
    /// The oldest version that can read what the migrations after `version` left; nil if the schema does not say.
    fileprivate borrowing func compatibleSince(afterVersion version: Int) throws -> Int? {
        let hasColumn = try query(
            """
            select exists (select from pg_attribute a
                             join pg_class c on c.oid = a.attrelid
                             join pg_namespace n on n.oid = c.relnamespace
                            where n.nspname = 'stored_actions' and c.relname = 'schema_migrations'
                              and a.attname = 'compatible_since' and not a.attisdropped) as yes
            """)
        guard try hasColumn.first?.decode("yes") == true else { return nil }
        return try query(
            """
            select max(coalesce(m.compatible_since, m.version)) as since
              from stored_actions.schema_migrations m
             where m.version > $1
            """, [.int(version)]
        ).first?.decode("since")
    }
}
