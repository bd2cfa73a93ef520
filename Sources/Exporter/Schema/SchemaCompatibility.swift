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
        if notice == nil, let pending = try plan(MigrationStore.applied(in: transaction)).first {
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
        let applied = try MigrationStore.applied(in: transaction)
        let own = migrations.last?.version ?? 0
        guard let newest = applied.last?.version, newest > own else { return nil }
        try requireSame(applied)
        guard let since = try MigrationStore.compatibleSince(afterVersion: own, in: transaction), since <= own else {
            throw SchemaProblem(newest: newest, own: own)
        }
        return
            "the schema is at version \(newest), newer than this binary's \(own), and can still be read since version "
            + "\(since); export, resolve and prune need a newer stored-actions"
    }
}
