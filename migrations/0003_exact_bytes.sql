-- What jsonb cannot hold exactly is kept beside it as it was sent.

alter table stored_actions.runs
  add column extra_raw bytea,
  add column pruned_at timestamptz;
comment on column stored_actions.runs.extra        is 'Fields of the answer that this schema has no column for; as near as jsonb comes to them where extra_raw is not null';
comment on column stored_actions.runs.extra_raw    is 'extra as it was sent, only where jsonb cannot hold it exactly; null for all others';
comment on column stored_actions.runs.pruned_at    is 'When the run''s results, errors and raw bytes were deleted on purpose; the run is not fetched again for that. Null for others';
comment on column stored_actions.runs.result_count is 'Rows of this run in results, also after they were pruned; what PostgreSQL refused is in rejects instead';
comment on column stored_actions.runs.error_count  is 'Rows of this run in errors, also after they were pruned; what PostgreSQL refused is in rejects instead';

comment on column stored_actions.results.payload       is 'The object: the same JSON value with every digit of every number; where payload_raw is not null, as near as jsonb comes to it, or null';
comment on column stored_actions.results.payload_raw   is 'The object as it was sent, only where jsonb cannot hold it exactly; null for all others';
comment on column stored_actions.results.payload_notes is 'What payload changes against payload_raw, and where (JSON Pointer); null where payload is exact';

alter table stored_actions.errors
  add column raw   bytea,
  add column notes text[];
comment on column stored_actions.errors.raw   is 'The error as it was sent, only where the other columns cannot hold it exactly; null for all others';
comment on column stored_actions.errors.notes is 'What the other columns change against raw, and where (JSON Pointer); null where they are exact';

-- Its keys are not unique: what a reject says is for people, and nothing must keep it out.
create table stored_actions.rejects (
  stored_action_id uuid        not null,
  run_id           uuid        not null,
  what             text        not null check (what in ('result', 'error', 'api_error', 'extra', 'body')),
  position         int,
  reason           text        not null,
  sqlstate         text,
  raw              bytea,
  export_id        bigint      not null,
  loaded_at        timestamptz not null default now()
);
create index rejects_of_runs on stored_actions.rejects (stored_action_id, run_id);
comment on table  stored_actions.rejects                  is 'Parts of answers that PostgreSQL would not take, one row each, with their own bytes; the rest of the answer is stored';
comment on column stored_actions.rejects.stored_action_id is 'The stored action that was run';
comment on column stored_actions.rejects.run_id           is 'The run whose answer it is from';
comment on column stored_actions.rejects.what             is 'result, error or api_error: the row that is missing there; extra: the value of runs.extra; body: the row of run_bodies';
comment on column stored_actions.rejects.position         is 'Place in the answer''s results or errors, from 0; null for extra and body';
comment on column stored_actions.rejects.reason           is 'What PostgreSQL said';
comment on column stored_actions.rejects.sqlstate         is 'Its error code; null if it gave none';
comment on column stored_actions.rejects.raw              is 'The part as it was sent; null for body: too large to take twice';
comment on column stored_actions.rejects.export_id        is 'The export that wrote this row';
comment on column stored_actions.rejects.loaded_at        is 'Start of the transaction that wrote this row';

create table stored_actions.run_bodies (
  stored_action_id uuid        not null,
  run_id           uuid        not null,
  body             bytea       not null,
  export_id        bigint      not null,
  loaded_at        timestamptz not null default now(),
  primary key (stored_action_id, run_id)
);
comment on table  stored_actions.run_bodies                  is 'Whole bodies of final answers, of exports with --keep-raw, one row a run';
comment on column stored_actions.run_bodies.stored_action_id is 'The stored action that was run';
comment on column stored_actions.run_bodies.run_id           is 'The run that was asked for';
comment on column stored_actions.run_bodies.body             is 'The body, byte for byte; decompressed, if it came compressed';
comment on column stored_actions.run_bodies.export_id        is 'The export that wrote this row';
comment on column stored_actions.run_bodies.loaded_at        is 'Start of the transaction that wrote this row';
