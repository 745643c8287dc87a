-- audit: what the audit was at the beginning of each day, so that a history whose end was cut off or in which an object
-- is missing shows: the chains alone only tell of what was changed between two lines that are left.
--
-- A line's hash covers every column but its `id`, which is only the order in which lines are listed.

-- One row a day (UTC), about the lines before it. `heads` is over the last line of each object, so it covers all lines;
-- `hash` is over this row and the one before. Nothing changes them, as nothing changes the lines.
create table audit_checkpoints (
    day date primary key,
    lines bigint not null check (lines >= 0),
    objects bigint not null check (objects >= 0),
    heads bytea not null check (length(heads) = 32),
    prev_hash bytea check (length(prev_hash) = 32),
    hash bytea not null check (length(hash) = 32),
    made_at timestamptz not null default clock_timestamp()
);
create trigger audit_checkpoints_append_only before update or delete or truncate on audit_checkpoints
    for each statement execute function append_only();
