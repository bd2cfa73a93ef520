-- Chains of pages: what a bulk read returns page by page, and the log that keeps each page from being asked for twice.

create table stored_actions.page_chains (
  stored_action_id uuid        not null,
  root_run_id      uuid        not null,
  pages            int         not null default 0,
  result_count     bigint      not null default 0,
  end_reason       text
    check (end_reason in ('last_page', 'repeated_cursor', 'empty_pages', 'max_pages', 'page_error', 'page_expired', 'refused', 'submit_unknown')),
  end_detail       text,
  next_page        text,
  empty_pages      int         not null default 0,
  failed_attempts  int         not null default 0,
  resume_at        timestamptz,
  first_page       text        not null,
  max_pages        int         not null,
  action_type      text,
  inputs_hash      bytea       not null,
  advanced_at      timestamptz not null default now(),
  export_id        bigint      not null,
  loaded_at        timestamptz not null default now(),
  primary key (stored_action_id, root_run_id)
);
comment on table  stored_actions.page_chains                  is 'Runs whose manifest asks for the pages behind them, one row each: how far the chain of pages is stored, and why it ended';
comment on column stored_actions.page_chains.stored_action_id is 'The stored action that was run';
comment on column stored_actions.page_chains.root_run_id      is 'The run that the manifest names: page 0';
comment on column stored_actions.page_chains.pages            is 'Pages stored, the root included; 0 while the root has no successful result';
comment on column stored_actions.page_chains.result_count     is 'Rows of the chain in paged_results';
comment on column stored_actions.page_chains.end_reason       is 'last_page, empty_pages: the rows are complete. repeated_cursor, max_pages, page_error, page_expired, refused: rows may be missing. submit_unknown: a page was asked for and nobody knows whether its run was started; an operator resolves it. Null: it goes on';
comment on column stored_actions.page_chains.end_detail       is 'For people: what happened; for a chain that goes on, why an export left it';
comment on column stored_actions.page_chains.next_page        is 'The cursor that the last stored page names; null if it names none';
comment on column stored_actions.page_chains.empty_pages      is 'Pages without rows in a row, up to the last stored one';
comment on column stored_actions.page_chains.failed_attempts  is 'Attempts at the next page that failed: the next one has the number after';
comment on column stored_actions.page_chains.resume_at        is 'The partner throttled the next page: not asked for again before then';
comment on column stored_actions.page_chains.first_page       is 'The cursor of page 0, by its manifest';
comment on column stored_actions.page_chains.max_pages        is 'Pages at most, the root included, by the newest manifest';
comment on column stored_actions.page_chains.action_type      is 'What the newest manifest says the stored action is; null if it says nothing';
comment on column stored_actions.page_chains.inputs_hash      is 'SHA-256 of the inputs that its pages are asked for with, in canonical JSON; it stays once a page has been asked for. The inputs themselves are stored nowhere';
comment on column stored_actions.page_chains.advanced_at      is 'When the last page was stored';
comment on column stored_actions.page_chains.export_id        is 'The export that wrote this row last';
comment on column stored_actions.page_chains.loaded_at        is 'Start of the transaction that wrote this row last';

-- Its key is what forbids a second POST: written before each, and taken back only if surely no run was started.
create table stored_actions.page_intents (
  stored_action_id uuid        not null,
  root_run_id      uuid        not null,
  cursor_hash      bytea       not null,
  attempt          int         not null,
  intent_id        uuid        not null unique,
  page_number      int         not null,
  page             text        not null,
  export_id        bigint      not null,
  intended_at      timestamptz not null default now(),
  run_id           uuid,
  recorded_at      timestamptz,
  primary key (stored_action_id, root_run_id, cursor_hash, attempt)
);
comment on table  stored_actions.page_intents                  is 'Requests for further pages, one row each, written before the request leaves and taken back if it surely started nothing; one without run_id was refused, is just being made, or is in doubt: page_chains tells which';
comment on column stored_actions.page_intents.stored_action_id is 'The stored action that is run again';
comment on column stored_actions.page_intents.root_run_id      is 'Page 0 of the chain';
comment on column stored_actions.page_intents.cursor_hash      is 'SHA-256 of the cursor: a cursor may be longer than a key';
comment on column stored_actions.page_intents.attempt          is 'From 1; a further attempt follows one that failed for good';
comment on column stored_actions.page_intents.intent_id        is 'Random ID: tells the writer its own intent again';
comment on column stored_actions.page_intents.page_number      is 'Place of the page in its chain, from 1';
comment on column stored_actions.page_intents.page             is 'The cursor';
comment on column stored_actions.page_intents.export_id        is 'The export that asks';
comment on column stored_actions.page_intents.intended_at      is 'When it was written, just before the request';
comment on column stored_actions.page_intents.run_id           is 'The run that the API started; null until its answer is stored';
comment on column stored_actions.page_intents.recorded_at      is 'When run_id was stored';

create index runs_of_chains on stored_actions.runs (stored_action_id, root_run_id, page_number);

alter table stored_actions.export_items
  add column manifest_position bigint,
  add column chain_left        text
    check (chain_left in ('inputs_missing', 'inputs_differ', 'page_failed', 'page_unfinished', 'lookup_failed', 'unavailable', 'throttled'));
create index export_items_chains on stored_actions.export_items (export_id, stored_action_id, run_id) where follow_pages;
comment on column stored_actions.export_items.manifest_position is 'Where the running export finds the run''s settings again; of no use afterwards';
comment on column stored_actions.export_items.chain_left        is 'Why this export left the run''s chain of pages without an end: inputs_missing, inputs_differ, page_failed, page_unfinished, lookup_failed, unavailable, throttled; null for others';

create view stored_actions.paged_results as
  select c.stored_action_id, c.root_run_id, r.page_number, x.item_index, x.payload, r.run_id
    from stored_actions.page_chains c
    join stored_actions.runs r on r.stored_action_id = c.stored_action_id and r.root_run_id = c.root_run_id
    join stored_actions.results x on x.run_id = r.run_id and x.stored_action_id = r.stored_action_id
   where not exists (select from stored_actions.runs n
                      where n.stored_action_id = r.stored_action_id and n.root_run_id = r.root_run_id
                        and n.page_number = r.page_number and n.outcome in ('success', 'error')
                        and (n.first_seen_at, n.run_id) > (r.first_seen_at, r.run_id))
   order by c.stored_action_id, c.root_run_id, r.page_number, x.item_index;
comment on view   stored_actions.paged_results                  is 'Rows of all pages of each chain, in chain order; of a page that was asked for again, those of the newest answer';
comment on column stored_actions.paged_results.stored_action_id is 'The stored action that was run';
comment on column stored_actions.paged_results.root_run_id      is 'The run that the manifest names: page 0';
comment on column stored_actions.paged_results.page_number      is 'The page that returned the object, from 0';
comment on column stored_actions.paged_results.item_index       is 'Place in the page''s results, from 0';
comment on column stored_actions.paged_results.payload          is 'The object: the same JSON value with every digit of every number';
comment on column stored_actions.paged_results.run_id           is 'The run that the page is';

comment on table  stored_actions.runs                is 'Runs that manifests named, and the runs that following their pages started, one row each, with the newest thing known of them; a fetched result is never replaced by a later failure';
comment on column stored_actions.runs.first_seen_at  is 'When a manifest first named the run; for a page behind a root, when the request for it was answered';
comment on column stored_actions.actions.action_type is 'read, read_bulk, write, search, ...: what the API says of it; null until a chain of its pages was to be followed';
comment on column stored_actions.actions.action_key  is 'The API''s key of the action; null until it is looked up';
