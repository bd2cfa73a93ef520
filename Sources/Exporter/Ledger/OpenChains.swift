import Foundation
import Postgres

/// What opening an export does to the chains of pages that its items ask for.
extension PostgresTransaction {
    /// A row for each root whose manifest asks for its pages. What earlier pages were asked for with stays; the rest
    /// is the newest manifest's to say, and may give a chain that had ended room to go on.
    borrowing func insertChains(exportID: Int) throws {
        // Locked first, by a statement of its own: the one below would judge by what was there before it had to wait.
        _ = try query(
            """
            select 1 as one
              from stored_actions.page_chains c
              join pg_temp.manifest_runs m on m.stored_action_id = c.stored_action_id and m.run_id = c.root_run_id
             where m.follow_pages
             order by c.stored_action_id, c.root_run_id
               for update of c
            """)
        let hasBegun = """
            exists (select from stored_actions.page_intents p
                     where p.stored_action_id = c.stored_action_id and p.root_run_id = c.root_run_id)
            """
        let goesOn = """
            (c.end_reason = 'max_pages' and excluded.max_pages > c.pages
             or c.end_reason = 'refused' and excluded.action_type is distinct from c.action_type)
            """
        _ = try query(
            """
            insert into stored_actions.page_chains as c
                   (stored_action_id, root_run_id, first_page, max_pages, action_type, inputs_hash, export_id)
            select r.stored_action_id, r.run_id, m.first_page, m.max_pages, m.action_type, m.inputs_hash, $1
              from pg_temp.manifest_runs m
              join stored_actions.runs r using (stored_action_id, run_id)
             where m.follow_pages and r.page_number = 0
             order by r.stored_action_id, r.run_id
                on conflict (stored_action_id, root_run_id) do update
               set max_pages = excluded.max_pages, action_type = excluded.action_type,
                   first_page = case when \(hasBegun) then c.first_page else excluded.first_page end,
                   inputs_hash = case when \(hasBegun) then c.inputs_hash else excluded.inputs_hash end,
                   end_reason = case when \(goesOn) then null else c.end_reason end,
                   end_detail = case when \(goesOn) then null else c.end_detail end,
                   export_id = $1, loaded_at = now()
             where (c.max_pages, c.action_type) is distinct from (excluded.max_pages, excluded.action_type)
                or not \(hasBegun)
                   and (c.first_page, c.inputs_hash) is distinct from (excluded.first_page, excluded.inputs_hash)
            """, [.int(exportID)])
    }

    /// Lets chains that ended in a page that failed go on, with a further attempt.
    borrowing func reopenFailedChains(exportID: Int) throws {
        _ = try query(
            """
            update stored_actions.page_chains c
               set end_reason = null, end_detail = null, export_id = $1, loaded_at = now()
              from stored_actions.export_items i
             where i.export_id = $1 and i.follow_pages
               and c.stored_action_id = i.stored_action_id and c.root_run_id = i.run_id
               and c.pages > 0 and (c.failed_attempts > 0 and c.end_reason in ('page_error', 'page_expired')
                                    or c.end_reason = 'refused')
            """, [.int(exportID)])
    }

    /// Chains whose root was settled by an export that did not ask for its pages begin behind that root.
    borrowing func takeUpSettledRoots(exportID: Int) throws {
        _ = try query(
            """
            update stored_actions.page_chains c
               set pages = case when r.outcome = 'success' then 1 else 0 end,
                   result_count = r.result_count,
                   next_page = case when r.outcome = 'success' then r.next_page end,
                   empty_pages = case when r.outcome = 'success' and r.result_count = 0 then 1 else 0 end,
                   end_reason = case when r.outcome = 'success' and r.next_page is null then 'last_page'
                                     when r.outcome in ('error', 'forbidden', 'rejected') then 'page_error'
                                     when r.outcome in ('expired', 'not_found') then 'page_expired' end,
                   end_detail = case when r.outcome <> 'success' then 'page 0 is ' || r.outcome end,
                   advanced_at = coalesce(r.fetched_at, now()), export_id = $1, loaded_at = now()
              from stored_actions.export_items i
              join stored_actions.runs r using (stored_action_id, run_id)
             where i.export_id = $1 and i.follow_pages and i.action = 'already_settled'
               and c.stored_action_id = i.stored_action_id and c.root_run_id = i.run_id and c.pages = 0
            """, [.int(exportID)])
    }
}
