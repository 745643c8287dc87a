-- vault: secrets that other parts of the service keep, each under the name of its purpose and the id of what it belongs
-- to; the keys of one-time codes are the first. Sealed like `vault_entries`: a data key each, wrapped by the master key
-- `key_id`.
--
-- A table of its own beside `vault_entries`: these have no versions, no list that people look at, and no mode. What
-- belongs to a person belongs to them in sandbox and live mode alike.
create table kept_secrets (
    purpose text not null check (purpose ~ '^[a-z_]{1,40}$'),
    id uuid not null,
    key_id text not null,
    wrapped_key bytea not null,
    ciphertext bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (purpose, id)
);
-- Which master keys are still needed, and what is left to wrap by a new one.
create index kept_secrets_key on kept_secrets (key_id, purpose, id);
