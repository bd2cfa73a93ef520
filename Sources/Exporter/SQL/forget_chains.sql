-- Deletes the cursors of the runs' chains that nothing lets go on, once nothing is stored of their pages. Their intents
-- go with the cursors: what these were to forbid cannot happen any more.
--
-- $1 uuid[], $2 uuid[]: the runs' keys.
with forgotten as (
  select c.stored_action_id, c.root_run_id
    from stored_actions.page_chains c
   where (c.stored_action_id, c.root_run_id) in (
           select r.stored_action_id, r.root_run_id
             from stored_actions.runs r
             join unnest($1::uuid[], $2::uuid[]) as k(stored_action_id, run_id)
               using (stored_action_id, run_id))
     and c.end_reason in ('last_page', 'empty_pages', 'repeated_cursor')
     and not exists (select from stored_actions.runs r
                      where r.stored_action_id = c.stored_action_id and r.root_run_id = c.root_run_id
                        and r.fetched_at is not null and r.pruned_at is null)
   order by c.stored_action_id, c.root_run_id
     for update of c
), cleared as (
  update stored_actions.page_chains c
     set next_page = left(c.next_page, 0), first_page = '', loaded_at = now()
    from forgotten f
   where c.stored_action_id = f.stored_action_id and c.root_run_id = f.root_run_id
)
delete from stored_actions.page_intents p
 using forgotten f
 where p.stored_action_id = f.stored_action_id and p.root_run_id = f.root_run_id
