import Crypto
import Foundation
import Migrations
import Postgres

/// What stands between the database's schema and this binary's.
package struct SchemaProblem: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Kind: Sendable, Equatable {
        /// The database was migrated by a newer version.
        case newer
        /// A migration that was applied is not the one in this binary, or is not in it at all.
        case changed
        /// Migrations are pending and `--no-migrate` is set.
        case behind
        /// The schema, or something in it, belongs to a role that is not to be trusted, or was not made by a migration.
        case foreign
        /// A rule of the database's own stands in the way: a right, row-level security, an event trigger.
        case policy
    }

    package var kind: Kind
    package var description: String
}

extension SchemaProblem {
    init(newest: Int, own: Int) {
        self.init(
            kind: .newer,
            description: "the schema is at version \(newest), newer than this binary's \(own): install a newer "
                + "stored-actions")
    }

    init(behind migration: Migration) {
        self.init(
            kind: .behind,
            description:
                "the schema lacks migration \(migration.version) (\(migration.name)): run stored-actions migrate")
    }
}

/// Brings the schema up to date: each migration once, in order, in a transaction of its own, under a lock that all
/// migrators share. What was applied is remembered with its checksum.
package struct Migrator: Sendable {
    let migrations: [Migration]
    private let toolVersion: String

    package init(migrations: [Migration] = Migration.all, toolVersion: String) {
        self.migrations = migrations
        self.toolVersion = toolVersion
    }

    /// The migrations that are still to be applied. Changes nothing.
    ///
    /// - Throws: `SchemaProblem` if the schema is newer or not of this history; `PostgresError`.
    package func pending(on session: PostgresSession) async throws -> [Migration] {
        try await session.transaction { transaction in
            if let refusal = try SchemaOwnership(transaction).refusalOfUse { throw refusal }
            return try plan(try transaction.appliedMigrations())
        } wasCommitted: { _ in
            true
        }
    }

    /// Makes sure that nothing is pending. Changes nothing.
    ///
    /// - Throws: `SchemaProblem`, of kind `behind` if a migration is to be applied; `PostgresError`.
    package func requireUpToDate(on session: PostgresSession) async throws {
        guard let first = try await pending(on: session).first else { return }
        throw SchemaProblem(behind: first)
    }

    /// Applies what is pending.
    ///
    /// - Returns: what was applied.
    /// - Throws: `SchemaProblem`; `PostgresError`, of kind `lockNotAvailable` when someone held a lock for too long.
    package func migrate(on session: PostgresSession) async throws -> [Migration] {
        var applied: [Migration] = []
        while let next = try await pending(on: session).first {
            if try await apply(next, on: session) { applied.append(next) }
        }
        return applied
    }

    /// - Returns: false if another migrator was faster.
    private func apply(_ migration: Migration, on session: PostgresSession) async throws -> Bool {
        do {
            return try await applyOnce(migration, on: session)
        } catch {
            throw await session.explained(error)
        }
    }

    private func applyOnce(_ migration: Migration, on session: PostgresSession) async throws -> Bool {
        // A migration that waits for a lock makes everybody behind it wait too: better to give up.
        try await session.transaction(lockLimit: .seconds(10)) { transaction in
            try transaction.lockOutOtherMigrators()
            guard try plan(transaction.appliedMigrations()).first == migration else { return false }
            try apply(migration, in: transaction)
            return true
        } wasCommitted: { transaction in
            try transaction.appliedMigrations().contains(AppliedMigration(migration))
        }
    }

    func apply(_ migration: Migration, in transaction: borrowing PostgresTransaction) throws {
        let ownership = try SchemaOwnership(transaction)
        if let refusal = ownership.refusal { throw refusal }
        if ownership.owner == nil { try transaction.createSchema(as: ownership.role) }
        try transaction.becomeSchemaOwner()
        if try !transaction.hasHistory() { try transaction.execute(script: Self.history) }
        try transaction.execute(script: migration.sql)
        _ = try transaction.query(
            """
            insert into stored_actions.schema_migrations (version, name, checksum, tool_version)
            values ($1, $2, $3, $4)
            """,
            [
                .int(migration.version), .text(migration.name), .text(migration.checksum), .text(toolVersion),
            ])
        if let since = migration.compatibleSince {
            _ = try transaction.query(
                "update stored_actions.schema_migrations set compatible_since = $2 where version = $1",
                [.int(migration.version), .int(since)])
        }
    }

    /// What is to be done, given what was done. Pure.
    func plan(_ applied: [AppliedMigration]) throws(SchemaProblem) -> [Migration] {
        if let last = applied.last, last.version > (migrations.last?.version ?? 0) {
            throw SchemaProblem(newest: last.version, own: migrations.last?.version ?? 0)
        }
        try requireSame(applied)
        return Array(migrations.dropFirst(applied.count))
    }

    /// - Throws: if a migration that was applied is not the one in this binary.
    func requireSame(_ applied: [AppliedMigration]) throws(SchemaProblem) {
        for (old, migration) in zip(applied, migrations) where old != AppliedMigration(migration) {
            throw SchemaProblem(
                kind: .changed,
                description: "migration \(old.version) (\(old.name)) was applied with other contents than this binary "
                    + "has: use the stored-actions that migrated this database, or a database of your own")
        }
    }

    /// The table of what was applied; it comes with the first migration.
    private static let history = """
        create table stored_actions.schema_migrations (
          version      int         primary key,
          name         text        not null,
          checksum     text        not null,
          tool_version text        not null,
          applied_at   timestamptz not null default now()
        );
        comment on table  stored_actions.schema_migrations              is 'Migrations of this schema that were applied, one row each';
        comment on column stored_actions.schema_migrations.version      is 'Number of the migration';
        comment on column stored_actions.schema_migrations.name         is 'Its name';
        comment on column stored_actions.schema_migrations.checksum     is 'SHA-256 of its SQL, in hexadecimal';
        comment on column stored_actions.schema_migrations.tool_version is 'Version of stored-actions that applied it';
        comment on column stored_actions.schema_migrations.applied_at   is 'When it was applied';
        """
}

/// A migration as the database remembers it.
struct AppliedMigration: Sendable, Equatable {
    var version: Int
    var name: String
    var checksum: String
}

extension AppliedMigration {
    init(_ migration: Migration) {
        self.init(version: migration.version, name: migration.name, checksum: migration.checksum)
    }
}

extension Migration {
    var checksum: String {
        SHA256.hash(data: Data(sql.utf8)).map { String(format: "%02x", $0) }.joined()
    }
}

extension PostgresTransaction {
    borrowing func lockOutOtherMigrators() throws {
        _ = try query("select pg_advisory_xact_lock(hashtextextended('stored-actions migrate', 0))")
    }

    /// Only where there is none: in a schema that was made for it, a role needs no right to create one.
    fileprivate borrowing func createSchema(as role: String) throws {
        let rights = try query("select has_database_privilege(current_database(), 'create') as may_create")
        guard try rights.first?.decode("may_create") == true else {
            let role = quoteIdentifier(role)
            throw SchemaProblem(
                kind: .policy,
                description:
                    "the role \(role) may not create the schema stored_actions: grant it create on the database, or "
                    + "have the database's owner run: create schema stored_actions authorization \(role)")
        }
        try execute(script: "create schema stored_actions")
    }

    /// For the rest of the transaction, where this login is a member of a role that owns the schema with all that is
    /// in it: what is made shall be that role's, whoever migrates.
    fileprivate borrowing func becomeSchemaOwner() throws {
        _ = try query(
            """
            select set_config('role', pg_get_userbyid(n.nspowner), true)
              from pg_namespace n
             where n.nspname = 'stored_actions' and pg_get_userbyid(n.nspowner) <> current_user
               and pg_has_role(current_user, n.nspowner, 'member')
               and n.nspowner <> 'pg_database_owner'::regrole
               and not exists (select from pg_class c where c.relnamespace = n.oid and c.relowner <> n.nspowner)
            """)
    }

    borrowing func hasHistory() throws -> Bool {
        // Asked of the catalog's rows: `to_regclass` may answer from a cache that is older than the lock just taken.
        let kinds = try query(
            """
            select c.relkind in ('r', 'p') as is_table
              from pg_class c
              join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'stored_actions' and c.relname = 'schema_migrations'
            """)
        guard let kind = kinds.first else { return false }
        guard try kind.decode("is_table") else {
            throw SchemaProblem(
                kind: .foreign,
                description:
                    "stored_actions.schema_migrations is not a table, so stored-actions did not make it: drop it, "
                    + "or use a database of your own")
        }
        return true
    }

    borrowing func appliedMigrations() throws -> [AppliedMigration] {
        guard try hasHistory() else { return [] }
        return try query("select version, name, checksum from stored_actions.schema_migrations order by version")
            .map { row in
                AppliedMigration(
                    version: try row.decode("version"), name: try row.decode("name"),
                    checksum: try row.decode("checksum"))
            }
    }
}
