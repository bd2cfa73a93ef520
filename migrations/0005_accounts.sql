-- Whose stored actions these are. Runs, results and chains follow by the stored action's key, so no large table changes;
-- a column with a constant default rewrites none.

alter table stored_actions.actions add column account text not null default 'default';
comment on column stored_actions.actions.account is 'The account that the stored action belongs to; its runs, results and chains are that account''s';

alter table stored_actions.exports add column account text not null default 'default';
comment on column stored_actions.exports.account is 'The account whose runs it asked for';
