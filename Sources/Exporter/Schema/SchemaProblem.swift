import Migrations
import Postgres

/// How the database's schema differs from this binary's, so that the binary cannot use it.
package enum SchemaProblem: Error, Sendable, Equatable {
    /// The database was migrated by a newer version, and does not say that this one can still read it.
    case newer(version: Int, own: Int)
    /// A migration that was applied is not the one in this binary, or is not in it at all.
    case otherMigration(version: Int, name: String)
    /// A migration is pending that may not be applied now.
    case behind(version: Int, name: String)
    /// A table, function or the like has the name of what was to be made.
    case nameTaken(PostgresError)
    /// `schema_migrations` exists and is not a table.
    case historyIsNotATable
    /// `possession`, such as `the table stored_actions.runs`, belongs to a role that `role` is not a member of.
    case foreignOwner(possession: String, owner: String, role: String)
    /// Columns, as `table.column`, are missing or of another type.
    case wrongColumns([String])
    /// Row-level security hides rows of these tables from the session's role.
    case rowSecurity(tables: [String])
    /// Event triggers, by name, raised the error.
    case eventTriggers([String], PostgresError)
    case mayNotCreateSchema(role: String)
}

extension SchemaProblem {
    init(behind migration: Migration) { self = .behind(version: migration.version, name: migration.name) }
}

/// The schema is newer than this binary, which can still read it.
package struct NewerSchema: Sendable, Equatable {
    /// The newest migration's.
    package var version: Int
    package var ownVersion: Int
    /// The oldest version that can read it.
    package var readableSince: Int
}
