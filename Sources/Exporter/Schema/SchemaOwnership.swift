import Postgres

/// Whose the schema is. Its owner can put code of his own into it (triggers, defaults, views), which then runs with the
/// rights of whoever writes or reads there.
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
        strangers.first.map { stranger in
            let (owner, role) = (quoteIdentifier(stranger.owner), quoteIdentifier(role))
            return SchemaProblem(
                kind: .foreign,
                description: """
                    \(stranger.name) belongs to the role \(owner), which is neither this role, \(role), nor granted to it: \
                    its owner could run code with the exporting role's rights. If that role is trusted: grant \(owner) \
                    to \(role); if not, remove or rename what it made
                    """)
        }
    }

    /// Why nothing may even be read or written there: what belongs to others would act with the rights of a superuser.
    var refusalOfUse: SchemaProblem? { isSuperuser ? refusal : nil }

    /// What a superuser should hear who exports; nil for everybody else.
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
        strangers = try transaction.query(Self.query).map { row in
            Possession(name: try row.decode("name"), owner: try row.decode("owner"))
        }
    }

    private struct NoAnswer: Error, CustomStringConvertible {
        var description: String { "the database did not say which role the session has" }
    }

    /// `pg_has_role` says of a superuser that it is a member of every role, so memberships are read where they are granted.
    /// Superusers can do anything to each other as it is.
    private static let query = """
        with recursive mine (oid) as (
          select r.oid from pg_roles r where r.rolname = current_user
           union
          select m.roleid from pg_auth_members m join mine on m.member = mine.oid
        ), trusted (oid) as (
          select oid from mine
           union
          select r.oid from pg_roles r
           where r.rolsuper and (select c.rolsuper from pg_roles c where c.rolname = current_user)
           union
          select r.oid from pg_roles r
           where r.rolname = 'pg_database_owner'
             and exists (select from pg_database d join mine on d.datdba = mine.oid where d.datname = current_database())
        ), possessions (place, name, owner) as (
          select 1, 'the schema stored_actions', n.nspowner from pg_namespace n where n.nspname = 'stored_actions'
           union all
          select 2,
                 case c.relkind when 'v' then 'the view ' when 'm' then 'the materialized view ' when 'S' then 'the sequence '
                                else 'the table ' end || c.oid::regclass::text,
                 c.relowner
            from pg_class c
            join pg_namespace n on n.oid = c.relnamespace
           where n.nspname = 'stored_actions' and c.relkind in ('r', 'p', 'f', 'v', 'm', 'S')
           union all
          select 3, 'the function ' || p.oid::regprocedure::text, p.proowner
            from pg_proc p
            join pg_namespace n on n.oid = p.pronamespace
           where n.nspname = 'stored_actions'
           union all
          -- The right to make triggers is enough for one whose function is anywhere.
          select 4, 'the function ' || p.oid::regprocedure::text || ' of the trigger ' || t.tgname, p.proowner
            from pg_trigger t
            join pg_class c on c.oid = t.tgrelid
            join pg_namespace n on n.oid = c.relnamespace
            join pg_proc p on p.oid = t.tgfoid
            join pg_roles r on r.oid = p.proowner
           where n.nspname = 'stored_actions' and not t.tgisinternal and not r.rolsuper
             and p.pronamespace <> n.oid
        )
        select p.name, pg_get_userbyid(p.owner)::text as owner
          from possessions p
         where p.owner not in (select t.oid from trusted t)
         order by p.place, p.name
         limit 20
        """
}
