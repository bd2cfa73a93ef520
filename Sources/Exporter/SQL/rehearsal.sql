-- The statements of an export that find or add no row: what the role may not do, or the schema lacks, they refuse.
insert into stored_actions.exports (call_id, api_url, tool_version, host)
select null, null, null, null where false;
insert into stored_actions.export_manifests (export_id) select null where false;
insert into stored_actions.export_items (export_id) select null where false
    on conflict (export_id, stored_action_id, run_id) do update set outcome = excluded.outcome;
insert into stored_actions.actions (stored_action_id) select null where false
    on conflict (stored_action_id) do update set label = excluded.label;
insert into stored_actions.runs (run_id) select null where false
    on conflict (stored_action_id, run_id) do nothing;
insert into stored_actions.page_chains (root_run_id) select null where false
    on conflict (stored_action_id, root_run_id) do nothing;
insert into stored_actions.page_intents (intent_id) select null where false;
insert into stored_actions.rejects (run_id) select null where false;
select from stored_actions.exports, stored_actions.export_manifests, stored_actions.export_items,
            stored_actions.page_chains, stored_actions.page_intents, stored_actions.runs r
 where stored_actions.is_settled(r.outcome, r.evidence, r.expires_at, now()) and false;
update stored_actions.actions set label = null where false;
update stored_actions.page_chains set pages = null where false;
update stored_actions.page_intents set run_id = null where false;
delete from stored_actions.page_intents where false;
