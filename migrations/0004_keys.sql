-- Every table has a primary key: without one, logical replication of all tables refuses each delete.
-- Of the tables this is the only one without a key, and no run or result is touched.

alter table stored_actions.rejects
  add column reject_id bigint generated always as identity primary key;
comment on column stored_actions.rejects.reject_id is 'Number of the row, of use to replication alone';

comment on column stored_actions.runs.next_page         is 'The cursor that the answer names for the page after this one; null at the end, empty where it was pruned';
comment on column stored_actions.runs.page              is 'The cursor this page was asked with; null for a run that no paging started, empty where it was pruned';
comment on column stored_actions.runs.pruned_at         is 'When the run''s results, errors, cursors and raw bytes were deleted on purpose; the run is not fetched again for that. Null for others';
comment on column stored_actions.page_chains.next_page  is 'The cursor that the last stored page names; null if it names none, empty once the chain was pruned: it goes on no more';
comment on column stored_actions.page_chains.first_page is 'The cursor of page 0, by its manifest; empty once the chain was pruned';
comment on table  stored_actions.page_intents           is 'Requests for further pages, one row each, written before the request leaves and taken back if it surely started nothing; one without run_id was refused, is just being made, or is in doubt: page_chains tells which. Pruned with the chain';

comment on column stored_actions.errors.extra is 'Fields of the error that this schema has no column for; the whole error as value where it was no object. {"errors": n} in the last of 10,000 rows of a run with more errors: its raw holds the other n';
comment on column stored_actions.errors.raw   is 'The error as it was sent, only where the other columns cannot hold it exactly; null for all others. In the last of 10,000 rows of a run with more errors, a JSON array of all that are left';
