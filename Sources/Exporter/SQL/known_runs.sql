-- What is known of runs: a row for each outcome with the number of runs that are settled with it; a row with the
-- runs that have no row yet, if there are any; and a row for each other run that is not settled, or has another start time
-- by its manifest.
--
-- $1 uuid[], $2 uuid[], $3 timestamptz[]: the runs' keys, and when they were started by their manifests. $4 timestamptz:
-- with --refetch, what was fetched then or later is settled, and nothing else; null without. $5 timestamptz: the
-- present. $6 text: the failure of a suspect.
with known as materialized (
  select n.position, r.outcome, r.executed_at, r.expires_at, r.seen_alive, r.checked_at,
         r.run_id is null as is_new, r.failure is not distinct from $6 as is_suspect,
         r.run_id is not null and n.executed_at is not null and n.executed_at is distinct from r.executed_at
           as is_misdated,
         coalesce(stored_actions.is_settled(r.outcome, r.evidence, r.expires_at, $5)
                  and ($4::timestamptz is null or r.fetched_at >= $4), false) as is_settled
    from unnest($1::uuid[], $2::uuid[], $3::timestamptz[])
         with ordinality as n(stored_action_id, run_id, executed_at, position)
    left join stored_actions.runs r using (stored_action_id, run_id)
)
select null::bigint as position, null as new_runs, k.outcome, count(*) as runs, null::timestamptz as executed_at,
       null::timestamptz as expires_at, false as seen_alive, null::timestamptz as checked_at, false as is_suspect,
       false as is_misdated, true as is_settled
  from known k
 where k.is_settled
 group by k.outcome
union all
-- A character for each run, in their order.
select null, string_agg(case when k.is_new then 'n' else '-' end, '' order by k.position), null, count(*), null, null,
       false, null, false, false, false
  from known k
having bool_or(k.is_new)
union all
select k.position, null, k.outcome, 1, k.executed_at, k.expires_at, k.seen_alive, k.checked_at, k.is_suspect,
       k.is_misdated, k.is_settled
  from known k
 where not k.is_new and (not k.is_settled or k.is_misdated)
