-- Roles of stored-actions in this database, printed by `stored-actions migrate --print-roles`, which puts in other
-- names where it is given them.
--
--   stored_actions_owner   owns the schema stored_actions and changes it: migrate
--   stored_actions_loader  export --no-migrate, resolve, status, prune
--   stored_actions_reader  reads every relation, for analysts; cursors and raw bytes with --reader-sees-raw only
--
-- Run it as a superuser, or as a role with CREATEROLE that owns the database and what it has of the schema:
--
--   stored-actions migrate --print-roles | psql --single-transaction --set ON_ERROR_STOP=1
--
-- before the first migrate, and again after each migrate that applied something: until then the loader has
-- wider rights to new tables than it needs, and the reader none without --reader-sees-raw.
--
-- It is safe to run twice. Whatever the schema holds becomes the owner's, regardless of who owned it.
--
-- The three cannot log in. Logins are made like this, with passwords or certificates as you like:
--
--   create role exporter login;
--   grant "stored_actions_loader" to exporter;
--   create role analyst login;
--   grant "stored_actions_reader" to analyst;
--   create role deployer login;
--   grant "stored_actions_owner" to deployer;
--
-- What a deployer's migrate makes is the owner's.

-- Only PostgreSQL's own functions and operators are used.
set local search_path = pg_catalog, pg_temp;

do $$
declare
  name text;
begin
  foreach name in array array['stored_actions_owner', 'stored_actions_loader', 'stored_actions_reader'] loop
    if not exists (select from pg_catalog.pg_roles r where r.rolname = name) then
      execute pg_catalog.format('create role %I nologin', name);
    end if;
  end loop;
  -- Only a member of the owner can give things to it, unless a superuser; and migrate wants to be granted it even
  -- then: to pg_has_role a superuser is a member of every role.
  if not pg_catalog.pg_has_role(current_user, 'stored_actions_owner', 'usage')
     or not exists (select from pg_catalog.pg_auth_members m
                      join pg_catalog.pg_roles r on r.oid = m.member
                     where m.roleid = 'stored_actions_owner'::pg_catalog.regrole and r.rolname = current_user) then
    execute pg_catalog.format('grant %I to %I', 'stored_actions_owner', current_user);
  end if;
  execute pg_catalog.format('grant connect, create on database %I to "stored_actions_owner"', pg_catalog.current_database());
  -- An export keeps its manifest's runs in a temporary table while it opens.
  execute pg_catalog.format('grant connect, temporary on database %I to "stored_actions_loader"', pg_catalog.current_database());
  execute pg_catalog.format('grant connect on database %I to "stored_actions_reader"', pg_catalog.current_database());
end
$$;

-- The schema and all that is in it are the owner's.
do $$
declare
  relation record;
  routine record;
begin
  if pg_catalog.to_regnamespace('stored_actions') is null then
    create schema stored_actions authorization "stored_actions_owner";
  end if;
  if (select n.nspowner from pg_catalog.pg_namespace n where n.nspname = 'stored_actions')
     <> 'stored_actions_owner'::pg_catalog.regrole then
    alter schema stored_actions owner to "stored_actions_owner";
  end if;
  for relation in
    select c.relname, c.relkind
      from pg_catalog.pg_class c
     where c.relnamespace = 'stored_actions'::pg_catalog.regnamespace
       and c.relkind in ('r', 'p', 'v', 'm')
       and c.relowner <> 'stored_actions_owner'::pg_catalog.regrole
  loop
    execute pg_catalog.format(
      'alter %s stored_actions.%I owner to "stored_actions_owner"',
      case relation.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end,
      relation.relname);
  end loop;
  for routine in
    select p.oid::pg_catalog.regprocedure::text as signature
      from pg_catalog.pg_proc p
     where p.pronamespace = 'stored_actions'::pg_catalog.regnamespace
       and p.proowner <> 'stored_actions_owner'::pg_catalog.regrole
  loop
    execute 'alter routine ' || routine.signature || ' owner to "stored_actions_owner"';
  end loop;
end
$$;

-- What migrations will make.
alter default privileges for role "stored_actions_owner" in schema stored_actions
  grant select, insert, update, delete on tables to "stored_actions_loader";
alter default privileges for role "stored_actions_owner" in schema stored_actions
  grant execute on functions to "stored_actions_loader", "stored_actions_reader";

-- What they have made.
grant usage on schema stored_actions to "stored_actions_loader", "stored_actions_reader";
grant select on all tables in schema stored_actions to "stored_actions_loader";
grant execute on all functions in schema stored_actions to "stored_actions_loader", "stored_actions_reader";

-- The reader names the columns where a table has cursors and raw bytes: they may hold secrets and personal data.
do $$
declare
  sees_raw constant boolean := false;
  entry record;
begin
  if sees_raw then
    alter default privileges for role "stored_actions_owner" in schema stored_actions
      grant select on tables to "stored_actions_reader";
  else
    alter default privileges for role "stored_actions_owner" in schema stored_actions
      revoke select on tables from "stored_actions_reader";
  end if;
  for entry in
    select c.relname, count(h.relation) as hidden,
           string_agg(quote_ident(a.attname), ', ' order by a.attnum) filter (where h.relation is null) as visible
      from pg_catalog.pg_class c
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      left join (values
           ('runs', 'next_page'),
           ('runs', 'page'),
           ('page_chains', 'next_page'),
           ('page_chains', 'first_page'),
           ('page_intents', 'page'),
           ('rejects', 'raw'),
           ('run_bodies', null)
         ) as h (relation, attribute)
        on h.relation = c.relname and coalesce(h.attribute, a.attname) = a.attname and not sees_raw
     where c.relnamespace = 'stored_actions'::pg_catalog.regnamespace and c.relkind in ('r', 'p', 'v', 'm')
     group by c.relname
  loop
    execute pg_catalog.format('revoke all on stored_actions.%I from "stored_actions_reader"', entry.relname);
    if entry.hidden = 0 then
      execute pg_catalog.format('grant select on stored_actions.%I to "stored_actions_reader"', entry.relname);
    elsif entry.visible is not null then
      execute pg_catalog.format(
        'grant select (%s) on stored_actions.%I to "stored_actions_reader"', entry.visible, entry.relname);
    end if;
  end loop;
end
$$;

-- No more than the loader needs. It deletes from the history of exports as it prunes.
do $$
declare
  entry record;
begin
  for entry in
    select *
      from (values
          ('schema_migrations', 'select'),
          ('actions', 'select, insert, update'),
          ('runs', 'select, insert, update'),
          ('results', 'select, insert, delete'),
          ('errors', 'select, insert, delete'),
          ('api_errors', 'select, insert, delete'),
          ('rejects', 'select, insert, delete'),
          ('run_bodies', 'select, insert, delete'),
          ('page_chains', 'select, insert, update'),
          ('page_intents', 'select, insert, delete, update (run_id, recorded_at)'),
          ('exports', 'select, insert, update, delete'),
          ('export_manifests', 'select, insert, delete'),
          ('export_items', 'select, insert, update, delete'),
          ('expired_runs', 'select'),
          ('paged_results', 'select')
      ) as v (relation, rights)
     where pg_catalog.to_regclass('stored_actions.' || v.relation) is not null
  loop
    execute pg_catalog.format('revoke all on stored_actions.%I from "stored_actions_loader"', entry.relation);
    execute pg_catalog.format(
      'grant %s on stored_actions.%I to "stored_actions_loader"', entry.rights, entry.relation);
  end loop;
end
$$;
