import Migrations
import Postgres

/// The schema itself and the table `schema_migrations`: which migrations were applied to it.
enum MigrationStore {
    static func lockOutOthers(in transaction: borrowing PostgresTransaction) throws {
        _ = try transaction.query("select pg_advisory_xact_lock(hashtextextended('stored-actions migrate', 0))")
    }

    /// Only where there is none: in a schema that was made for it, a role needs no right to create one.
    static func createSchema(as role: String, in transaction: borrowing PostgresTransaction) throws {
        let rights = try transaction.query("select has_database_privilege(current_database(), 'create') as may_create")
        guard try rights.first?.decode("may_create") == true else {
            throw SchemaProblem.mayNotCreateSchema(role: role)
        }
        try transaction.execute(script: "create schema stored_actions")
    }

    /// Takes on the role that owns the schema and everything in it, for the rest of the transaction, if this login is a
    /// member of it: what a migration creates belongs to that role, whichever login runs it.
    static func becomeSchemaOwner(in transaction: borrowing PostgresTransaction) throws {
        _ = try transaction.query(
            """
            select set_config('role', pg_get_userbyid(n.nspowner), true)
              from pg_namespace n
             where n.nspname = 'stored_actions' and pg_get_userbyid(n.nspowner) <> current_user
               and pg_has_role(current_user, n.nspowner, 'member')
               and n.nspowner <> 'pg_database_owner'::regrole
               and not exists (select from pg_class c where c.relnamespace = n.oid and c.relowner <> n.nspowner)
            """)
    }

    static func hasHistory(in transaction: borrowing PostgresTransaction) throws -> Bool {
        // Asked of the catalog's rows: `to_regclass` may answer from a cache that is older than the lock just taken.
        let kinds = try transaction.query(
            """
            select c.relkind in ('r', 'p') as is_table
              from pg_class c
              join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'stored_actions' and c.relname = 'schema_migrations'
            """)
        guard let kind = kinds.first else { return false }
        guard try kind.decode("is_table") else { throw SchemaProblem.historyIsNotATable }
        return true
    }

    static func applied(in transaction: borrowing PostgresTransaction) throws -> [AppliedMigration] {
        guard try hasHistory(in: transaction) else { return [] }
        return try transaction.query(
            "select version, name, checksum from stored_actions.schema_migrations order by version"
        )
        .map { row in
            AppliedMigration(
                version: try row.decode("version"), name: try row.decode("name"),
                checksum: try row.decode("checksum"))
        }
    }

    static func createHistory(in transaction: borrowing PostgresTransaction) throws {
        try transaction.execute(script: history)
    }

    static func insert(
        _ migration: Migration, toolVersion: String, in transaction: borrowing PostgresTransaction
    ) throws {
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

    /// The oldest version that can read what the migrations after `version` left; nil if the schema does not say.
    static func compatibleSince(
        afterVersion version: Int, in transaction: borrowing PostgresTransaction
    ) throws -> Int? {
        let hasColumn = try transaction.query(
            """
            select exists (select from pg_attribute a
                             join pg_class c on c.oid = a.attrelid
                             join pg_namespace n on n.oid = c.relnamespace
                            where n.nspname = 'stored_actions' and c.relname = 'schema_migrations'
                              and a.attname = 'compatible_since' and not a.attisdropped) as yes
            """)
        guard try hasColumn.first?.decode("yes") == true else { return nil }
        return try transaction.query(
            """
            select max(coalesce(m.compatible_since, m.version)) as since
              from stored_actions.schema_migrations m
             where m.version > $1
            """, [.int(version)]
        ).first?.decode("since")
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
