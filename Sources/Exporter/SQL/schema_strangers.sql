-- What in the schema belongs to a role that is neither the session's nor one granted to it: at most 20, the schema
-- first.
--
-- pg_has_role says of a superuser that it is a member of every role, so memberships are read where they are granted.
-- Superusers can do anything to each other as it is.
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
