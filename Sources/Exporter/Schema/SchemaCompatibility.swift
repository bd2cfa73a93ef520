import Migrations
import Postgres

/// Reading a schema that a newer version has migrated. Each migration says since which version a binary can still read
/// what it left: enough for `status`, `check` and `prune --dry-run`, never for writing.
extension Migrator {
    /// Makes sure that this binary can read the schema. Changes nothing.
    ///
    /// - Returns: how the schema is newer; nil if it is this binary's own.
    /// - Throws: `SchemaProblem`, `newer` if the schema does not say that it can be read; `PostgresError`.
    package func requireReadable(on session: PostgresSession) async throws -> NewerSchema? {
        try await session.transaction { transaction in
            try requireReadable(in: transaction)
        } wasCommitted: { _ in
            true
        }
    }

    func requireReadable(in transaction: borrowing PostgresTransaction) throws -> NewerSchema? {
        let newer = try newerSchema(in: transaction)
        if newer == nil, let pending = try plan(MigrationStore.applied(in: transaction)).first {
            throw SchemaProblem(behind: pending)
        }
        return newer
    }

    /// How the schema is newer; nil if it is not, or is behind.
    package func newerSchema(on session: PostgresSession) async throws -> NewerSchema? {
        try await session.transaction { transaction in
            try newerSchema(in: transaction)
        } wasCommitted: { _ in
            true
        }
    }

    private func newerSchema(in transaction: borrowing PostgresTransaction) throws -> NewerSchema? {
        if let refusal = try SchemaOwnership(transaction).refusalOfUse { throw refusal }
        let applied = try MigrationStore.applied(in: transaction)
        let own = migrations.last?.version ?? 0
        guard let newest = applied.last?.version, newest > own else { return nil }
        try requireSame(applied)
        guard let since = try MigrationStore.compatibleSince(afterVersion: own, in: transaction), since <= own else {
            throw SchemaProblem.newer(version: newest, own: own)
        }
        return NewerSchema(version: newest, ownVersion: own, readableSince: since)
    }
}
