-- Marks the runs that killed exports had in flight, or may have had: of each export the first runs, in the order of its
-- queue, that it has not stored.
--
-- $1 bigint[]: the exports. $2 text: the failure of a suspect. $3 bigint: how many runs each had in flight at most.
with suspects as (
  select q.stored_action_id, q.run_id, max(e.export_id) as export_id
    from stored_actions.exports e
   cross join lateral (
         select i.stored_action_id, i.run_id
           from stored_actions.export_items i
           join stored_actions.runs r using (stored_action_id, run_id)
          where i.export_id = e.export_id and i.action = 'not_reached' and i.expires_at > e.started_at
            and r.outcome in ('queued', 'failed', 'waiting', 'pending')
            and r.failure is distinct from $2
          order by i.expires_at, i.stored_action_id, i.run_id
          limit $3) q
   where e.export_id = any($1)
   group by q.stored_action_id, q.run_id
), locked as (
  select r.stored_action_id, r.run_id, s.export_id
    from suspects s
    join stored_actions.runs r using (stored_action_id, run_id)
   -- Once more: an export of another manifest may have stored the run while this waited for its row.
   where r.outcome in ('queued', 'failed', 'waiting', 'pending')
   order by r.stored_action_id, r.run_id
     for update of r
)
update stored_actions.runs r
   set outcome = 'failed', failure = $2, http_status = null, status = null,
       export_id = l.export_id, loaded_at = now()
  from locked l
 where r.stored_action_id = l.stored_action_id and r.run_id = l.run_id
