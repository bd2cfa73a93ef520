-- Who holds the locks of manifests: the server's process and its client, the export under the lock, and the server's
-- present.
--
-- $1 text[]: names of manifests of the account. $2 text[]: what each name's lock is hashed from, in the same order.
-- $3 text: the account. $4 text: the name that stands for the exports without a manifest.
select n.name, l.pid, host(a.client_addr) as client, a.application_name, a.backend_start,
       e.export_id, e.host, e.process_id, e.started_at, e.time_limit_at, e.progress_at,
       clock_timestamp() as present
  from unnest($1::text[], $2::text[]) as n(name, lock_text)
 cross join lateral (select hashtextextended(n.lock_text, 0) as key) k
  join pg_locks l
    on l.locktype = 'advisory' and l.granted and l.objsubid = 1
   and l.classid::bigint = (k.key >> 32) & 4294967295 and l.objid::bigint = k.key & 4294967295
   and l.database = (select d.oid from pg_database d where d.datname = current_database())
  left join pg_stat_activity a on a.pid = l.pid
  left join lateral (
       select x.export_id, x.host, x.process_id, x.started_at, x.time_limit_at, x.progress_at
         from stored_actions.exports x
        where x.outcome = 'running' and x.account = $3
          and case when n.name = $4
                   then not exists (select from stored_actions.export_manifests m
                                     where m.export_id = x.export_id)
                   else exists (select from stored_actions.export_manifests m
                                 where m.export_id = x.export_id and m.name = n.name) end
        order by x.export_id desc
        limit 1) e on true
 order by n.name
