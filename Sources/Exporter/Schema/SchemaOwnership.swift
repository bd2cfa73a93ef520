import Postgres

/// Whose the schema is. Its owner can put code of his own into it (triggers, defaults, views), which then runs with the
/// rights of the role that writes or reads there.
package struct SchemaOwnership: Sendable, Equatable {
    /// Something in the schema, or the schema itself.
    struct Possession: Sendable, Equatable {
        /// As people call it: `the schema stored_actions`, `the table stored_actions.runs`.
        var name: String
        var owner: String
    }

    /// The role that the session acts as.
    package var role: String
    /// That role, or the login behind it, may do anything.
    package var isSuperuser: Bool
    /// Of the schema; nil if there is none.
    package var owner: String?
    /// What belongs to a role that is neither the session's nor one granted to it, the schema first.
    var strangers: [Possession]

    /// Why nothing may be created or changed there; nil if nothing speaks against it.
    var refusal: SchemaProblem? {
        strangers.first.map { .foreignOwner(possession: $0.name, owner: $0.owner, role: role) }
    }

    /// Why nothing may even be read or written there: what belongs to others would act with the rights of a superuser.
    var refusalOfUse: SchemaProblem? { isSuperuser ? refusal : nil }

    /// A warning for an export that runs as a superuser; nil for other roles.
    package var warning: String? {
        guard isSuperuser, let owner, owner != role else { return nil }
        return """
            this export runs as the superuser \(role) in a schema of the role \(owner), whose triggers would run with all \
            rights: export as a role that can do no more than it needs (stored-actions migrate --print-roles)
            """
    }
}

extension SchemaOwnership {
    package init(on session: PostgresSession) async throws {
        self = try await session.transaction { transaction in
            try SchemaOwnership(transaction)
        } wasCommitted: { _ in
            true
        }
    }

    init(_ transaction: borrowing PostgresTransaction) throws {
        let roles = try transaction.query(
            """
            select current_user::text as role,
                   exists (select from pg_roles r where r.rolname in (current_user, session_user) and r.rolsuper) as is_superuser,
                   (select pg_get_userbyid(n.nspowner)::text from pg_namespace n where n.nspname = 'stored_actions') as owner
            """)
        guard let row = roles.first else { throw NoAnswer() }
        role = try row.decode("role")
        isSuperuser = try row.decode("is_superuser")
        owner = try row.decode("owner")
        strangers = try transaction.query(SQL.schemaStrangers).map { row in
            Possession(name: try row.decode("name"), owner: try row.decode("owner"))
        }
    }

    private struct NoAnswer: Error, CustomStringConvertible {
        var description: String { "the database did not say which role the session has" }
    }
}
