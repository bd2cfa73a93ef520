-- Inserts a chain for each root whose manifest asks for its pages. Of a chain that is there, the newest manifest always
-- sets the limits, and until a page has been asked for also the first page and the inputs. A chain that had ended goes
-- on where the manifest gives it room.
--
-- $1 uuid[], $2 uuid[]: the roots. $3 text[], $4 int[], $5 text[], $6 bytea[]: what the manifests say of their pages.
-- $7 bigint: the export.
insert into stored_actions.page_chains as c
       (stored_action_id, root_run_id, first_page, max_pages, action_type, inputs_hash, export_id)
select r.stored_action_id, r.run_id, m.first_page, m.max_pages, m.action_type, m.inputs_hash, $7
  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::text[], $6::bytea[])
       as m(stored_action_id, run_id, first_page, max_pages, action_type, inputs_hash)
  join stored_actions.runs r using (stored_action_id, run_id)
 where r.page_number = 0
   -- A row that conflicts is locked, even if nothing of it is to change.
   and not exists (select from stored_actions.page_chains same
                    where same.stored_action_id = m.stored_action_id and same.root_run_id = m.run_id
                      and (same.max_pages, same.action_type, same.first_page, same.inputs_hash)
                          is not distinct from (m.max_pages, m.action_type, m.first_page, m.inputs_hash))
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
       export_id = $7, loaded_at = now()
 where (c.max_pages, c.action_type) is distinct from (excluded.max_pages, excluded.action_type)
    or not exists (select from stored_actions.page_intents p
                    where p.stored_action_id = c.stored_action_id and p.root_run_id = c.root_run_id)
       and (c.first_page, c.inputs_hash) is distinct from (excluded.first_page, excluded.inputs_hash)
