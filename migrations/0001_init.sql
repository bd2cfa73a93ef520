comment on schema stored_actions is 'Results of stored-action runs, as the Actions API answered them';

-- What an analyst reads: actions, runs, results, errors, api_errors, expired_runs.

create table stored_actions.actions (
  stored_action_id uuid primary key,
  label            text,
  action_type      text,
  action_key       text,
  selected_api     text
);
comment on table  stored_actions.actions                  is 'Stored actions met in manifests, one row each';
comment on column stored_actions.actions.stored_action_id is 'ID of the stored action';
comment on column stored_actions.actions.label            is 'The name that a manifest gives it; the newest manifest wins';
comment on column stored_actions.actions.action_type      is 'read, read_bulk, write, search, ...: what the API says of it; null until it is looked up, which exports do not do yet';
comment on column stored_actions.actions.action_key       is 'The API''s key of the action; null until it is looked up';
comment on column stored_actions.actions.selected_api     is 'The app that the action belongs to; null until it is looked up';

create table stored_actions.runs (
  stored_action_id uuid        not null,
  run_id           uuid        not null,
  outcome          text        not null default 'queued'
    check (outcome in ('success', 'error', 'expired', 'not_found', 'forbidden', 'rejected', 'waiting', 'pending', 'failed', 'queued')),
  status           text,
  http_status      int,
  type             text,
  result_count     int         not null default 0,
  error_count      int         not null default 0,
  next_page        text,
  page             text,
  page_number      int         not null default 0,
  root_run_id      uuid        not null,
  executed_at      timestamptz,
  expires_at       timestamptz not null,
  first_seen_at    timestamptz not null,
  fetched_at       timestamptz,
  checked_at       timestamptz,
  seen_alive       boolean     not null default false,
  evidence         text        check (evidence in ('past_retention', 'seen_alive', 'age_unknown')),
  failure          text,
  attempts         int         not null default 0,
  extra            jsonb,
  export_id        bigint,
  loaded_at        timestamptz not null default now(),
  primary key (stored_action_id, run_id)
);
create index runs_unsettled on stored_actions.runs (expires_at) where outcome not in ('success', 'error');
comment on table  stored_actions.runs                  is 'Runs that manifests named, one row each, with the newest thing known of them; a fetched result is never replaced by a later failure';
comment on column stored_actions.runs.stored_action_id is 'The stored action that was run';
comment on column stored_actions.runs.run_id           is 'ID of the run';
comment on column stored_actions.runs.outcome          is 'success or error: stored for good. expired, not_found, forbidden, rejected: the API has or gives no result. waiting, pending: not finished. failed: could not be had, tried again by the next export. queued: not asked yet';
comment on column stored_actions.runs.status           is 'status as the API spelt it; null where the answer had none';
comment on column stored_actions.runs.http_status      is 'HTTP status of the last attempt; null if it got no answer';
comment on column stored_actions.runs.type             is 'type as the API spelt it, usually run';
comment on column stored_actions.runs.result_count     is 'Rows of this run in results';
comment on column stored_actions.runs.error_count      is 'Rows of this run in errors';
comment on column stored_actions.runs.next_page        is 'The cursor that the answer names for the page after this one; null at the end';
comment on column stored_actions.runs.page             is 'The cursor this page was asked with; null for a run that no paging started';
comment on column stored_actions.runs.page_number      is 'Place in its chain of pages, from 0';
comment on column stored_actions.runs.root_run_id      is 'The run that page 0 of its chain is; the run itself if it has no pages';
comment on column stored_actions.runs.executed_at      is 'When the run was started, as its manifest says; null if no manifest did';
comment on column stored_actions.runs.expires_at       is 'Seven days after executed_at, or after first_seen_at where that is not known: the API answers 404 from then on';
comment on column stored_actions.runs.first_seen_at    is 'When a manifest first named the run';
comment on column stored_actions.runs.fetched_at       is 'When the stored answer (success or error) arrived; null before';
comment on column stored_actions.runs.checked_at       is 'When the API last answered, or failed to answer, for this run';
comment on column stored_actions.runs.seen_alive       is 'True once any answer showed that the run exists';
comment on column stored_actions.runs.evidence         is 'Why a run counts as expired: past_retention, seen_alive or age_unknown; null for other outcomes';
comment on column stored_actions.runs.failure          is 'For people: what went wrong when the outcome is failed; null for other outcomes';
comment on column stored_actions.runs.attempts         is 'Requests made for this run, by all exports together';
comment on column stored_actions.runs.extra            is 'Fields of the answer that this schema has no column for';
comment on column stored_actions.runs.export_id        is 'The export that wrote this row last';
comment on column stored_actions.runs.loaded_at        is 'Start of the transaction that wrote this row last';

create table stored_actions.results (
  run_id           uuid        not null,
  item_index       int         not null,
  stored_action_id uuid        not null,
  payload          jsonb,
  payload_raw      bytea,
  payload_notes    text[],
  export_id        bigint      not null,
  loaded_at        timestamptz not null default now(),
  primary key (run_id, item_index, stored_action_id)
);
comment on table  stored_actions.results                  is 'Objects of the runs'' results, one row each';
comment on column stored_actions.results.run_id           is 'The run that returned the object';
comment on column stored_actions.results.item_index       is 'Place in the run''s results, from 0';
comment on column stored_actions.results.stored_action_id is 'The stored action that was run';
comment on column stored_actions.results.payload          is 'The object: the same JSON value with every digit of every number';
comment on column stored_actions.results.payload_raw      is 'The object as it was sent, only where jsonb cannot hold it exactly; always null so far: such a run is failed';
comment on column stored_actions.results.payload_notes    is 'What payload changes against payload_raw, and where; always null so far';
comment on column stored_actions.results.export_id        is 'The export that wrote this row';
comment on column stored_actions.results.loaded_at        is 'Start of the transaction that wrote this row';

create table stored_actions.errors (
  run_id           uuid        not null,
  error_index      int         not null,
  stored_action_id uuid        not null,
  code             text,
  title            text,
  detail           text,
  delay_seconds    bigint,
  meta             jsonb,
  extra            jsonb,
  export_id        bigint      not null,
  loaded_at        timestamptz not null default now(),
  primary key (run_id, error_index, stored_action_id)
);
comment on table  stored_actions.errors                  is 'Errors that the partner''s app reported inside a run''s result, one row each';
comment on column stored_actions.errors.run_id           is 'The run that failed';
comment on column stored_actions.errors.error_index      is 'Place in the run''s errors, from 0';
comment on column stored_actions.errors.stored_action_id is 'The stored action that was run';
comment on column stored_actions.errors.code             is 'user, authentication, partner, system, throttled, ...: values not listed by the API may come';
comment on column stored_actions.errors.title            is 'Short summary of the problem';
comment on column stored_actions.errors.detail           is 'Explanation of this occurrence';
comment on column stored_actions.errors.delay_seconds    is 'Seconds to wait before another try, where the partner throttled';
comment on column stored_actions.errors.meta             is 'What else the partner said';
comment on column stored_actions.errors.extra            is 'Fields of the error that this schema has no column for; the whole error as value where it was no object';
comment on column stored_actions.errors.export_id        is 'The export that wrote this row';
comment on column stored_actions.errors.loaded_at        is 'Start of the transaction that wrote this row';

create table stored_actions.api_errors (
  stored_action_id uuid        not null,
  run_id           uuid        not null,
  error_index      int         not null,
  http_status      int         not null,
  status           int,
  code             text,
  title            text,
  detail           text,
  source_pointer   text,
  source_parameter text,
  source_header    text,
  meta             jsonb,
  occurred_at      timestamptz not null,
  export_id        bigint      not null,
  loaded_at        timestamptz not null default now(),
  primary key (stored_action_id, run_id, error_index)
);
comment on table  stored_actions.api_errors                  is 'Errors that the API itself answered to the last attempt to fetch a run, one row each; gone once the run''s result is stored';
comment on column stored_actions.api_errors.stored_action_id is 'The stored action that was run';
comment on column stored_actions.api_errors.run_id           is 'The run that was asked for';
comment on column stored_actions.api_errors.error_index      is 'Place in the answer''s errors, from 0';
comment on column stored_actions.api_errors.http_status      is 'HTTP status of the answer';
comment on column stored_actions.api_errors.status           is 'status inside the error object';
comment on column stored_actions.api_errors.code             is 'permission_denied, not_found, bad_request, ...';
comment on column stored_actions.api_errors.title            is 'Short summary of the problem';
comment on column stored_actions.api_errors.detail           is 'Explanation of this occurrence';
comment on column stored_actions.api_errors.source_pointer   is 'The value in the request that caused it, as a JSON Pointer';
comment on column stored_actions.api_errors.source_parameter is 'The query parameter that caused it';
comment on column stored_actions.api_errors.source_header    is 'The request header that caused it';
comment on column stored_actions.api_errors.meta             is 'What else the API said';
comment on column stored_actions.api_errors.occurred_at      is 'When the answer arrived';
comment on column stored_actions.api_errors.export_id        is 'The export that wrote this row';
comment on column stored_actions.api_errors.loaded_at        is 'Start of the transaction that wrote this row';

create view stored_actions.expired_runs as
  select stored_action_id, run_id, executed_at, expires_at, first_seen_at, checked_at, evidence
    from stored_actions.runs
   where outcome = 'expired';
comment on view   stored_actions.expired_runs                  is 'Runs whose results the API no longer has';
comment on column stored_actions.expired_runs.stored_action_id is 'The stored action that was run';
comment on column stored_actions.expired_runs.run_id           is 'ID of the run';
comment on column stored_actions.expired_runs.executed_at      is 'When the run was started, as its manifest says; null if no manifest did';
comment on column stored_actions.expired_runs.expires_at       is 'When the API was to forget the result';
comment on column stored_actions.expired_runs.first_seen_at    is 'When a manifest first named the run';
comment on column stored_actions.expired_runs.checked_at       is 'When the API answered that it has no result';
comment on column stored_actions.expired_runs.evidence         is 'past_retention: over seven days old. seen_alive: an earlier answer knew the run. age_unknown: neither';

-- What an operator reads: exports, export_manifests, export_items.

create table stored_actions.exports (
  export_id    bigint      generated always as identity primary key,
  call_id      uuid        not null unique,
  started_at   timestamptz not null default now(),
  finished_at  timestamptz,
  outcome      text        not null default 'running'
    check (outcome in ('running', 'complete', 'incomplete', 'failed', 'interrupted')),
  exit_status  int,
  items        int         not null default 0,
  outcomes     jsonb,
  requests     int         not null default 0,
  rate_limited int         not null default 0,
  api_url      text        not null,
  tool_version text        not null,
  host         text        not null,
  refetch      boolean     not null default false,
  batches      bigint      not null default 0
);
comment on table  stored_actions.exports              is 'Calls of stored-actions export, one row each';
comment on column stored_actions.exports.export_id    is 'Number of the export';
comment on column stored_actions.exports.call_id      is 'Random ID of the call: finds the export again when the answer to the COMMIT that opened it was lost';
comment on column stored_actions.exports.started_at   is 'When it began';
comment on column stored_actions.exports.finished_at  is 'When it ended; for a killed export, when the next one noticed; null while it runs';
comment on column stored_actions.exports.outcome      is 'running; complete; incomplete: the same command continues it; failed: database, API or settings stood in the way; interrupted: by a signal, or killed';
comment on column stored_actions.exports.exit_status  is 'Exit status of the process; null while it runs and for killed ones';
comment on column stored_actions.exports.items        is 'Runs that its manifests name';
comment on column stored_actions.exports.outcomes     is 'Runs of its manifests per outcome, at its end';
comment on column stored_actions.exports.requests     is 'Requests that left';
comment on column stored_actions.exports.rate_limited is 'Answers 429 among them';
comment on column stored_actions.exports.api_url      is 'The API it asked';
comment on column stored_actions.exports.tool_version is 'Version of stored-actions';
comment on column stored_actions.exports.host         is 'Name of the machine it ran on';
comment on column stored_actions.exports.refetch      is 'Whether it asked for settled runs again too';
comment on column stored_actions.exports.batches      is 'Batches committed: tells, when the answer to a COMMIT was lost, whether the batch is in';

create table stored_actions.export_manifests (
  export_id bigint not null references stored_actions.exports,
  name      text   not null,
  source    text   not null,
  sha256    text   not null,
  items     int    not null,
  primary key (export_id, name)
);
create index export_manifests_by_name on stored_actions.export_manifests (name, export_id);
comment on table  stored_actions.export_manifests           is 'Manifests of an export, one row each';
comment on column stored_actions.export_manifests.export_id is 'The export';
comment on column stored_actions.export_manifests.name      is 'Name of the manifest';
comment on column stored_actions.export_manifests.source    is 'The file it was read from, as it was named; or standard input';
comment on column stored_actions.export_manifests.sha256    is 'SHA-256 of its bytes, in hexadecimal';
comment on column stored_actions.export_manifests.items     is 'Runs that it names';

create table stored_actions.export_items (
  export_id        bigint      not null references stored_actions.exports,
  stored_action_id uuid        not null,
  run_id           uuid        not null,
  outcome          text        not null default 'queued',
  action           text        not null default 'not_reached'
    check (action in ('fetched', 'already_settled', 'not_reached')),
  result_count     int         not null default 0,
  follow_pages     boolean     not null default false,
  expires_at       timestamptz not null,
  poll_at          timestamptz,
  polls            int         not null default 0,
  primary key (export_id, stored_action_id, run_id)
);
create index export_items_queue on stored_actions.export_items (export_id, expires_at, stored_action_id, run_id) where action = 'not_reached';
create index export_items_polls on stored_actions.export_items (export_id, poll_at) where poll_at is not null;
comment on table  stored_actions.export_items                  is 'Runs of an export, one row each, with what that export made of them';
comment on column stored_actions.export_items.export_id        is 'The export';
comment on column stored_actions.export_items.stored_action_id is 'The stored action that was run';
comment on column stored_actions.export_items.run_id           is 'ID of the run';
comment on column stored_actions.export_items.outcome          is 'Outcome of the run when this export was done with it; queued if it never was asked';
comment on column stored_actions.export_items.action           is 'fetched: this export asked for it. already_settled: an earlier or parallel one had it. not_reached: nobody asked';
comment on column stored_actions.export_items.result_count     is 'Rows that this export stored in results for the run';
comment on column stored_actions.export_items.follow_pages     is 'Whether the manifest asks for the pages after the run''s own';
comment on column stored_actions.export_items.expires_at       is 'When the API forgets the result: the order in which this export asks';
comment on column stored_actions.export_items.poll_at          is 'When this export asks again for a run that is not finished; null for others';
comment on column stored_actions.export_items.polls            is 'How often this export found the run unfinished';

create function stored_actions.is_settled(outcome text, evidence text, expires_at timestamptz, at timestamptz)
  returns boolean language sql immutable parallel safe
  return case
           when outcome in ('success', 'error') then true
           when outcome = 'expired' then evidence = 'past_retention' or expires_at <= at
           when outcome in ('not_found', 'forbidden', 'rejected') then expires_at <= at
           else false
         end;
comment on function stored_actions.is_settled(text, text, timestamptz, timestamptz) is
  'Whether a run with this outcome is asked for no more by exports that begin at that time';
