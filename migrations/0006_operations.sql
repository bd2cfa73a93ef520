-- What an operator asks of exports: why they ended, whether one is alive, and what a restored database does not know.

alter table stored_actions.exports
  add column reason        text,
  add column process_id    int,
  add column time_limit_at timestamptz,
  add column progress_at   timestamptz,
  add column answered_at   timestamptz;
comment on column stored_actions.exports.reason        is 'For people: why it ended as it did, where that takes words; null while it runs';
comment on column stored_actions.exports.process_id    is 'Its process on host';
comment on column stored_actions.exports.time_limit_at is 'When its time limit is over; null without a limit';
comment on column stored_actions.exports.progress_at   is 'When it last committed something';
comment on column stored_actions.exports.answered_at   is 'When the API last answered it, up to the last commit; null if it has not answered yet';

alter table stored_actions.page_chains
  add column restored_to        timestamptz,
  add column restore_settled_at timestamptz;
comment on column stored_actions.page_chains.restored_to        is 'The time that the database was restored to, if it was: pages may have been asked for afterwards that it does not know of. Null for others';
comment on column stored_actions.page_chains.restore_settled_at is 'When an operator said that no further page had been asked for before the restore; until then each next page is in doubt';

alter table stored_actions.schema_migrations
  add column compatible_since int;
comment on column stored_actions.schema_migrations.compatible_since is 'The oldest version of the schema whose stored-actions can still read this one: status, check and prune --dry-run; null if that is this version itself';
