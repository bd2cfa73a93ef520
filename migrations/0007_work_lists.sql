-- The database holds what is known and what was done, not what is planned: a call keeps its work list to itself, and
-- export_items has a row only for a run that the export asked for. Rows of older exports for settled runs, and for those
-- that were not reached, stay until they are pruned. No large table is rewritten.

alter table stored_actions.exports
  add column already_settled int,
  add column refetch_since   timestamptz,
  add column in_hand_actions uuid[],
  add column in_hand_runs    uuid[],
  add column lanes           bigint[] not null default '{0,0}';
comment on column stored_actions.exports.already_settled is 'Of its items, those that were settled when it began; null for exports of versions that kept a row for each';
comment on column stored_actions.exports.refetch_since   is 'Of an export with --refetch that has runs or pages left: what was fetched since then is not fetched again. Null for others';
comment on column stored_actions.exports.in_hand_actions is 'While it runs: the stored actions of the runs that it has taken from its work list, in that order; if it dies, one of these runs may be why';
comment on column stored_actions.exports.in_hand_runs    is 'The IDs of these runs';
comment on column stored_actions.exports.lanes           is 'Batches committed by each of its connections: tells, when the answer to a COMMIT was lost, whether the batch is in';
comment on column stored_actions.exports.batches         is 'Batches committed';

alter table stored_actions.export_items
  drop constraint export_items_action_check,
  add constraint export_items_action_check check (action in ('fetched', 'kept', 'already_settled', 'not_reached')) not valid,
  alter column action set default 'fetched',
  drop column follow_pages,
  drop column expires_at,
  drop column poll_at,
  drop column polls,
  drop column manifest_position,
  drop column chain_left;
comment on table  stored_actions.export_items              is 'Runs that an export asked for, one row each. A run of its manifests that was settled before has none, nor has one that it did not come to: exports counts them';
comment on column stored_actions.export_items.outcome      is 'The run''s outcome as the export left it';
comment on column stored_actions.export_items.action       is 'fetched: the answer is stored. kept: what was stored stayed. already_settled, not_reached: of older exports alone, which had a row for every item';
comment on column stored_actions.export_items.result_count is 'Rows that the export stored in results';

alter table stored_actions.page_chains
  add column left_by  bigint,
  add column left_for text,
  add constraint page_chains_left_for_check check (left_for in
    ('inputs_missing', 'inputs_differ', 'page_failed', 'page_unfinished', 'lookup_failed', 'unavailable', 'throttled')) not valid;
comment on column stored_actions.page_chains.left_by  is 'The export that last left the chain without an end; null if none did';
comment on column stored_actions.page_chains.left_for is 'Why that export went no further: inputs_missing, inputs_differ, page_failed, page_unfinished, lookup_failed, unavailable, throttled';

-- Two in place of one: a run that can never be settled by time, and one that time settles, so that what is unsettled is
-- found without those that have long expired.
create index runs_open on stored_actions.runs (expires_at) where outcome in ('queued', 'waiting', 'pending', 'failed');
create index runs_refused on stored_actions.runs (expires_at) where outcome in ('expired', 'not_found', 'forbidden', 'rejected');
drop index stored_actions.runs_unsettled;
