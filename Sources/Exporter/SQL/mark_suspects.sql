-- Marks the runs that killed exports had in flight, or may have had: of each export the first runs that it had taken from
-- its work list and has not stored.
--
-- $1 bigint[]: the exports. $2 text: the failure of a suspect. $3 bigint: how many runs each had in flight at most.
with suspects as (
  select q.stored_action_id, q.run_id, max(e.export_id) as export_id
    from stored_actions.exports e
   cross join lateral (
         select h.stored_action_id, h.run_id
           from unnest(e.in_hand_actions, e.in_hand_runs)
                with ordinality as h(stored_action_id, run_id, position)
           join stored_actions.runs r using (stored_action_id, run_id)
          where r.outcome in ('queued', 'failed', 'waiting', 'pending') and r.failure is distinct from $2
            and not exists (select from stored_actions.export_items i
                             where i.export_id = e.export_id and i.stored_action_id = h.stored_action_id
                               and i.run_id = h.run_id)
          order by h.position
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
