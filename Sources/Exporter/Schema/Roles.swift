import Postgres

/// The roles that share the work on the schema, and the SQL that makes them. Nothing here touches a database.
package struct Roles: Sendable, Equatable {
    package var owner = "stored_actions_owner"
    package var loader = "stored_actions_loader"
    package var reader = "stored_actions_reader"
    /// Cursors and bodies too, which may hold what nobody meant to show: secrets of the partner's, personal data.
    package var readerSeesRaw = false

    package init() {}

    /// Why the names cannot be used; nil if they can.
    package var problem: String? {
        let names = [owner, loader, reader]
        // Less than PostgreSQL takes, so that no name needs escaping wherever the SQL has one.
        guard
            let bad = names.first(where: { name in
                let isPlain = name.wholeMatch(of: /[a-z_][a-z0-9_]{0,62}/.asciiOnlyCharacterClasses()) != nil
                return !isPlain || name.hasPrefix("pg_") || ["public", "none"].contains(name)
            })
        else { return Set(names).count < 3 ? "owner, loader and reader are three different roles" : nil }
        return "\"\(bad)\" is not a valid role name here: a letter or _ and up to 62 of a to z, 0 to 9 and _; not "
            + "public, none or pg_…"
    }

    /// What the loader may do with each relation. Whole tables, but for the log of requests: a migration that adds a
    /// column must not stop the exports that run as the loader.
    private static let loaderRights: [(relation: String, rights: String)] = [
        ("schema_migrations", "select"),
        ("actions", "select, insert, update"),
        ("runs", "select, insert, update"),
        ("results", "select, insert, delete"),
        ("errors", "select, insert, delete"),
        ("api_errors", "select, insert, delete"),
        ("rejects", "select, insert, delete"),
        ("run_bodies", "select, insert, delete"),
        ("page_chains", "select, insert, update"),
        ("page_intents", "select, insert, delete, update (run_id, recorded_at)"),
        ("exports", "select, insert, update"),
        ("export_manifests", "select, insert"),
        ("export_items", "select, insert, update"),
        ("expired_runs", "select"),
        ("paged_results", "select"),
    ]

    /// What the reader does not see; nil: none of the relation's columns.
    private static let raw: [(relation: String, column: String?)] = [
        ("runs", "next_page"), ("runs", "page"), ("page_chains", "next_page"), ("page_chains", "first_page"),
        ("page_intents", "page"), ("rejects", "raw"), ("run_bodies", nil),
    ]

    /// Statements for a superuser, or for a role with CREATEROLE that owns the database and whatever it holds of the
    /// schema. They may be run any number of times, before the schema is there and after.
    package var sql: String {
        let (owner, loader, reader) = (quoteIdentifier(owner), quoteIdentifier(loader), quoteIdentifier(reader))
        let roles = [self.owner, self.loader, self.reader].map { "'\($0)'" }.joined(separator: ", ")
        let rights = Self.loaderRights.map { "          ('\($0.relation)', '\($0.rights)')" }
            .joined(separator: ",\n")
        let raw = Self.raw.map { "('\($0.relation)', \($0.column.map { "'\($0)'" } ?? "null"))" }
            .joined(separator: ", ")
        let limits =
            readerSeesRaw ? "" : ": all but cursors and raw bytes (--reader-sees-raw: these too)"
        let newTables =
            readerSeesRaw ? "grant select on tables to \(reader)" : "revoke select on tables from \(reader)"
        return """
            -- Roles of stored-actions in this database, printed by `stored-actions migrate --print-roles`.
            --
            --   \(self.owner)   owns the schema stored_actions and changes it: migrate
            --   \(self.loader)  export --no-migrate, resolve, status, prune
            --   \(self.reader)  reads every relation, for analysts\(limits)
            --
            -- Run it as a superuser, or as a role with CREATEROLE that owns the database and what it has of the schema:
            --
            --   stored-actions migrate --print-roles | psql --single-transaction --set ON_ERROR_STOP=1
            --
            -- before the first migrate, and again after each migrate that applied something: until then the loader has
            -- wider rights to new tables than it needs, and the reader \(readerSeesRaw ? "reads them already" : "none").
            --
            -- It is safe to run twice. Whatever the schema holds becomes the owner's, regardless of who owned it.
            --
            -- The three cannot log in. Logins are made like this, with passwords or certificates as you like:
            --
            --   create role exporter login;
            --   grant \(loader) to exporter;
            --   create role analyst login;
            --   grant \(reader) to analyst;
            --   create role deployer login;
            --   grant \(owner) to deployer;
            --
            -- What a deployer's migrate makes is the owner's.

            -- Only PostgreSQL's own functions and operators are used.
            set local search_path = pg_catalog, pg_temp;

            do $$
            declare
              name text;
            begin
              foreach name in array array[\(roles)] loop
                if not exists (select from pg_catalog.pg_roles r where r.rolname = name) then
                  execute pg_catalog.format('create role %I nologin', name);
                end if;
              end loop;
              -- Only a member of the owner can give things to it, unless a superuser; and migrate wants to be granted it even
              -- then: to pg_has_role a superuser is a member of every role.
              if not pg_catalog.pg_has_role(current_user, '\(self.owner)', 'usage')
                 or not exists (select from pg_catalog.pg_auth_members m
                                  join pg_catalog.pg_roles r on r.oid = m.member
                                 where m.roleid = '\(self.owner)'::pg_catalog.regrole and r.rolname = current_user) then
                execute pg_catalog.format('grant %I to %I', '\(self.owner)', current_user);
              end if;
              execute pg_catalog.format('grant connect, create on database %I to \(owner)', pg_catalog.current_database());
              -- An export keeps its manifest's runs in a temporary table while it opens.
              execute pg_catalog.format('grant connect, temporary on database %I to \(loader)', pg_catalog.current_database());
              execute pg_catalog.format('grant connect on database %I to \(reader)', pg_catalog.current_database());
            end
            $$;

            -- The schema and all that is in it are the owner's.
            do $$
            declare
              relation record;
              routine record;
            begin
              if pg_catalog.to_regnamespace('stored_actions') is null then
                create schema stored_actions authorization \(owner);
              end if;
              if (select n.nspowner from pg_catalog.pg_namespace n where n.nspname = 'stored_actions')
                 <> '\(self.owner)'::pg_catalog.regrole then
                alter schema stored_actions owner to \(owner);
              end if;
              for relation in
                select c.relname, c.relkind
                  from pg_catalog.pg_class c
                 where c.relnamespace = 'stored_actions'::pg_catalog.regnamespace
                   and c.relkind in ('r', 'p', 'v', 'm')
                   and c.relowner <> '\(self.owner)'::pg_catalog.regrole
              loop
                execute pg_catalog.format(
                  'alter %s stored_actions.%I owner to \(owner)',
                  case relation.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end,
                  relation.relname);
              end loop;
              for routine in
                select p.oid::pg_catalog.regprocedure::text as signature
                  from pg_catalog.pg_proc p
                 where p.pronamespace = 'stored_actions'::pg_catalog.regnamespace
                   and p.proowner <> '\(self.owner)'::pg_catalog.regrole
              loop
                execute 'alter routine ' || routine.signature || ' owner to \(owner)';
              end loop;
            end
            $$;

            -- What migrations will make.
            alter default privileges for role \(owner) in schema stored_actions
              grant select, insert, update, delete on tables to \(loader);
            alter default privileges for role \(owner) in schema stored_actions
              \(newTables);
            alter default privileges for role \(owner) in schema stored_actions
              grant execute on functions to \(loader), \(reader);

            -- What they have made.
            grant usage on schema stored_actions to \(loader), \(reader);
            grant select on all tables in schema stored_actions to \(loader);
            grant execute on all functions in schema stored_actions to \(loader), \(reader);

            -- What the reader sees\(readerSeesRaw ? "" : ": not what may hold secrets, cursors and raw bytes, so it names the columns it reads there").
            do $$
            declare
              entry record;
            begin
              for entry in
                select c.relname, count(h.relation) as hidden,
                       string_agg(quote_ident(a.attname), ', ' order by a.attnum) filter (where h.relation is null) as visible
                  from pg_catalog.pg_class c
                  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                  left join (values \(raw)) as h (relation, attribute)
                    on h.relation = c.relname and coalesce(h.attribute, a.attname) = a.attname and \(!readerSeesRaw)
                 where c.relnamespace = 'stored_actions'::pg_catalog.regnamespace and c.relkind in ('r', 'p', 'v', 'm')
                 group by c.relname
              loop
                execute pg_catalog.format('revoke all on stored_actions.%I from \(reader)', entry.relname);
                if entry.hidden = 0 then
                  execute pg_catalog.format('grant select on stored_actions.%I to \(reader)', entry.relname);
                elsif entry.visible is not null then
                  execute pg_catalog.format(
                    'grant select (%s) on stored_actions.%I to \(reader)', entry.visible, entry.relname);
                end if;
              end loop;
            end
            $$;

            -- No more than the loader needs: it adds to the history of exports and deletes none of it.
            do $$
            declare
              entry record;
            begin
              for entry in
                select *
                  from (values
            \(rights)
                  ) as v (relation, rights)
                 where pg_catalog.to_regclass('stored_actions.' || v.relation) is not null
              loop
                execute pg_catalog.format('revoke all on stored_actions.%I from \(loader)', entry.relation);
                execute pg_catalog.format(
                  'grant %s on stored_actions.%I to \(loader)', entry.rights, entry.relation);
              end loop;
            end
            $$;

            """
    }
}
