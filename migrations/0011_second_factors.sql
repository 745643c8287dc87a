-- The second factor: an authenticator app whose codes change every half minute, and recovery codes for the day on which the
-- telephone is gone.

-- auth/second_factor/factors: the secret itself is kept by the vault under the factor's id. A factor counts once its person
-- has shown a first code; until then the one before it counts.
create table second_factors (
    id uuid primary key,
    user_id uuid not null references users,
    made_at timestamptz not null,
    set_at timestamptz,
    -- the newest half minute whose code was taken; no code is taken twice, and none that is older
    last_step bigint not null default 0
);
create unique index second_factors_one_set on second_factors (user_id) where set_at is not null;
create unique index second_factors_one_offered on second_factors (user_id) where set_at is null;

-- auth/second_factor/recovery: each opens once. 80 random bits cannot be guessed, so a plain SHA-256 of them suffices.
create table recovery_codes (
    user_id uuid not null references users,
    code_hash bytea not null check (length(code_hash) = 32),
    made_at timestamptz not null,
    used_at timestamptz,
    primary key (user_id, code_hash)
);

-- auth/half_sessions: the password was right and the code is still to come. It opens the page that asks for the code, and
-- nothing else; it is no row of `sessions`, so nothing can take it for one.
create table half_sessions (
    token_hash bytea primary key check (length(token_hash) = 32),
    user_id uuid not null references users,
    made_at timestamptz not null,
    expires_at timestamptz not null
);
create index half_sessions_user on half_sessions (user_id);

-- Whether the session was begun, or confirmed, with a second factor.
alter table sessions add column second_factor boolean not null default false;

-- Where a second factor is set, the password alone opens nothing, whatever a statement says: neither ours, nor that of a
-- process of the version before.
create function sessions_need_the_second_factor() returns trigger language plpgsql as $$
begin
    if not new.second_factor
        and exists (select from second_factors where user_id = new.user_id and set_at is not null)
    then
        raise exception 'user % has a second factor, and this session was begun without it', new.user_id
            using errcode = 'integrity_constraint_violation', constraint = 'sessions_need_the_second_factor';
    end if;
    return new;
end $$;
create trigger sessions_need_the_second_factor before insert on sessions
    for each row execute function sessions_need_the_second_factor();
