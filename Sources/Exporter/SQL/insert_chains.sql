-- Inserts a chain for each root whose manifest asks for its pages. Of a chain that is there, the newest manifest always
-- sets the limits, and until a page has been asked for also the first page and the inputs. A chain that had ended goes
-- on where the manifest gives it room.
--
-- $1 bigint: the export. Reads pg_temp.manifest_runs.
insert into stored_actions.page_chains as c
       (stored_action_id, root_run_id, first_page, max_pages, action_type, inputs_hash, export_id)
select r.stored_action_id, r.run_id, m.first_page, m.max_pages, m.action_type, m.inputs_hash, $1
  from pg_temp.manifest_runs m
  join stored_actions.runs r using (stored_action_id, run_id)
 where m.follow_pages and r.page_number = 0
 order by r.stored_action_id, r.run_id
    on conflict (stored_action_id, root_run_id) do update
   set max_pages = excluded.max_pages, action_type = excluded.action_type,
       first_page = case when exists (select from stored_actions.page_intents p
                                       where p.stored_action_id = c.stored_action_id
                                         and p.root_run_id = c.root_run_id)
                         then c.first_page else excluded.first_page end,
       inputs_hash = case when exists (select from stored_actions.page_intents p
                                        where p.stored_action_id = c.stored_action_id
                                          and p.root_run_id = c.root_run_id)
                          then c.inputs_hash else excluded.inputs_hash end,
       end_reason = case when c.end_reason = 'max_pages' and excluded.max_pages > c.pages
                              or c.end_reason = 'refused' and excluded.action_type is distinct from c.action_type
                         then null else c.end_reason end,
       end_detail = case when c.end_reason = 'max_pages' and excluded.max_pages > c.pages
                              or c.end_reason = 'refused' and excluded.action_type is distinct from c.action_type
                         then null else c.end_detail end,
       export_id = $1, loaded_at = now()
 where (c.max_pages, c.action_type) is distinct from (excluded.max_pages, excluded.action_type)
    or not exists (select from stored_actions.page_intents p
                    where p.stored_action_id = c.stored_action_id and p.root_run_id = c.root_run_id)
       and (c.first_page, c.inputs_hash) is distinct from (excluded.first_page, excluded.inputs_hash)
