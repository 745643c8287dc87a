-- Accounts that wait for their person, and the links by which people choose a password without anybody telling them one.
--
-- A process of the version before knows nothing of either and lets nobody in by them: the hash of an account that waits is
-- that of a random password, which nobody has ever seen.

-- Invited, and has not chosen a password yet.
alter table users add column invited_at timestamptz;

-- auth/links: one row a person, so that a new link takes the place of the one before. The link holds 32 random bytes, the
-- table their SHA-256: a stolen row opens nothing. Use deletes the row.
create table password_links (
    user_id uuid primary key references users,
    link_hash bytea not null unique check (length(link_hash) = 32),
    purpose text not null check (purpose in ('invitation', 'reset')),
    made_by text not null,
    made_at timestamptz not null,
    expires_at timestamptz not null
);
