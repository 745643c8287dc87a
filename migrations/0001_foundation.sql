-- The whole schema of Mission Control. Later migrations add; they do not rewrite.
--
-- Two rules run through it. The database, not the code, carries the guarantees that cannot be taken back
-- (unique indexes, check constraints and triggers below). And a table is written by one module only, named above it.

-- ---------------------------------------------------------------------------------------------------------------
-- guard: which installation this is. `system_identifier` and `timeline_id` come from pg_control: if they differ at
-- start, the database was restored or promoted and the service starts on hold, because sends made since the
-- backup are not in it.
create table deployment (
    singleton boolean primary key default true check (singleton),
    id uuid not null default gen_random_uuid(),
    mode text check (mode in ('sandbox', 'live')),
    system_identifier bigint,
    timeline_id integer,
    -- the object id of this table: another one after a dump was restored into the same cluster
    incarnation bigint,
    created_at timestamptz not null default clock_timestamp()
);
insert into deployment default values;

-- guard: the switch that stops all sending. One row, read in the claim and again in the fence.
create table hold (
    singleton boolean primary key default true check (singleton),
    held boolean not null default false,
    cause text check (cause in ('person', 'credentials', 'restored')),
    reason text,
    changed_by text,
    changed_at timestamptz not null default clock_timestamp(),
    constraint hold_is_explained check (not held or (cause is not null and reason is not null))
);
insert into hold default values;

-- settings: the operating settings, one row a version; the newest is in force. Versions are never edited.
create table settings (
    version bigint generated always as identity primary key,
    document jsonb not null,
    changed_by text not null,
    changed_at timestamptz not null default clock_timestamp()
);

-- ---------------------------------------------------------------------------------------------------------------
-- auth: who is asking.
create table users (
    id uuid primary key,
    email text not null,
    name text not null,
    role text not null check (role in ('viewer', 'operator', 'approver', 'admin')),
    -- PHC string, argon2id
    password_hash text not null,
    must_change_password boolean not null default false,
    created_at timestamptz not null default clock_timestamp(),
    disabled_at timestamptz,
    last_sign_in_at timestamptz
);
create unique index users_email_key on users (lower(email));

-- The cookie holds 32 random bytes; the table holds their SHA-256, so a stolen row signs nobody in.
create table sessions (
    token_hash bytea primary key check (length(token_hash) = 32),
    user_id uuid not null references users,
    created_at timestamptz not null default clock_timestamp(),
    last_seen_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    authenticated_at timestamptz not null default clock_timestamp(),
    ip text,
    user_agent text
);
create index sessions_user on sessions (user_id);

create table api_tokens (
    id uuid primary key,
    user_id uuid not null references users,
    name text not null,
    token_hash bytea not null unique check (length(token_hash) = 32),
    -- the last four characters, to tell tokens apart in a list
    hint text not null,
    scopes text[] not null check (
        scopes <@ array['operations:read', 'operations:write', 'approvals:write', 'vault:write', 'audit:read']
        and cardinality(scopes) > 0
    ),
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);
create index api_tokens_user on api_tokens (user_id);

-- Failed sign-ins by account and by network; a row dies with its window.
create table sign_in_failures (
    subject text primary key,
    failures integer not null,
    window_started_at timestamptz not null,
    blocked_until timestamptz not null
);

-- ---------------------------------------------------------------------------------------------------------------
-- vault: credentials at rest. Each version has a data key of its own, wrapped by the master key `key_id`.
create table vault_entries (
    id uuid primary key,
    mode text not null check (mode in ('sandbox', 'live')),
    name text not null check (name in (
        'twilio_account_sid', 'twilio_auth_token', 'twilio_phone_number', 'elevenlabs_api_key')),
    version integer not null check (version > 0),
    state text not null check (state in ('current', 'previous', 'destroyed')),
    key_id text not null,
    wrapped_key bytea,
    ciphertext bytea,
    -- last four characters of a long value; identifiers in full
    hint text,
    created_by text not null,
    created_at timestamptz not null default clock_timestamp(),
    verified_at timestamptz,
    verify_result text,
    -- when the first signed callback was checked with this version: the previous one is accepted 24 h longer
    first_signature_at timestamptz,
    destroyed_at timestamptz,
    constraint vault_entries_version_key unique (mode, name, version),
    constraint destroyed_holds_nothing check (
        (state = 'destroyed') = (wrapped_key is null and ciphertext is null))
);
create unique index vault_entries_one_current on vault_entries (mode, name) where state = 'current';
create unique index vault_entries_one_previous on vault_entries (mode, name) where state = 'previous';

-- A known text under each master key in use: a process with another key finds out at start, not at the first send.
create table vault_canaries (
    key_id text primary key,
    ciphertext bytea not null,
    created_at timestamptz not null default clock_timestamp()
);

-- ---------------------------------------------------------------------------------------------------------------
-- speech: audio that we host. A clip is addressed by what it was made from and by the hash of its bytes.
create table clips (
    -- unguessable name in the public URL
    id text primary key check (length(id) >= 32),
    request_hash bytea not null unique check (length(request_hash) = 32),
    state text not null check (state in ('preparing', 'ready', 'failed', 'deleted')),
    text_spoken text,
    voice_id text,
    model_id text,
    format text,
    content_hash bytea check (length(content_hash) = 32),
    content_type text,
    bytes bigint,
    reason text,
    created_at timestamptz not null default clock_timestamp(),
    ready_at timestamptz,
    deleted_at timestamptz,
    constraint ready_has_content check (state <> 'ready' or (content_hash is not null and bytes > 0))
);

-- ---------------------------------------------------------------------------------------------------------------
-- operation: what someone wants to send. The row is the queue.
create table operations (
    id uuid primary key,
    mode text not null check (mode in ('sandbox', 'live')),
    kind text not null check (kind in ('sms', 'call')),
    state text not null check (state in (
        'preparing', 'pending_approval', 'approved', 'sending', 'accepted', 'delivered', 'failed',
        'unknown', 'needs_review', 'rejected', 'expired', 'cancelled')),

    -- the content: frozen by the trigger below
    to_number text not null check (to_number ~ '^\+[1-9][0-9]{1,14}$'),
    from_number text not null check (from_number ~ '^\+[1-9][0-9]{1,14}$'),
    message text,
    audio_url text,
    speech_text text,
    voice_id text,
    model_id text,
    clip_id text references clips,
    content_digest bytea check (length(content_digest) = 32),
    -- SHA-256 of what Twilio would show of it: two operations with one match key cannot be told apart in its list
    match_key bytea not null check (length(match_key) = 32),
    segments integer check (segments > 0),
    encoding text check (encoding in ('GSM-7', 'UCS-2')),

    -- who asked, and how
    requested_by uuid not null references users,
    requested_token uuid references api_tokens,
    source text not null check (source in ('page', 'api', 'command', 'gateway')),
    note text,
    correlation_id text not null,
    idempotency_key text not null,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    possible_duplicate_of uuid references operations,

    -- the decision
    gate_rule text not null,
    expires_at timestamptz not null,
    approved_by uuid references users,
    approved_by_rule text,
    self_approved boolean not null default false,
    approved_digest bytea,
    approved_at timestamptz,
    execute_before timestamptz,

    -- sending
    not_before timestamptz not null default clock_timestamp(),
    attempts integer not null default 0,
    automatic_resends integer not null default 0,
    sending_deadline timestamptz,
    -- why the last try did not leave us
    delay_reason text,

    -- what became of it
    provider_sid text,
    provider_status text,
    provider_rank smallint not null default 0,
    error_code integer,
    reason text,
    reason_code text,
    unknown_since timestamptz,
    accepted_at timestamptz,
    finished_at timestamptz,
    settled_at timestamptz,
    conflicted_at timestamptz,
    duplicate_suspected_at timestamptz,
    audio_not_fetched_at timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by uuid references users,

    constraint content_is_whole check (
        (kind = 'sms' and message is not null and segments is not null and encoding is not null
            and audio_url is null and speech_text is null)
        or (kind = 'call' and message is null and (audio_url is null) <> (speech_text is null))),
    constraint only_preparing_lacks_a_digest check (
        content_digest is not null or state in ('preparing', 'failed', 'cancelled', 'expired')),
    constraint approval_is_whole check (
        (approved_digest is null) = (approved_at is null)
        and (approved_at is null) = (execute_before is null)
        and (approved_at is not null or (approved_by is null and approved_by_rule is null))
        and (approved_at is null or approved_by is not null or approved_by_rule is not null)),
    constraint sent_only_what_was_approved check (
        state not in ('approved', 'sending', 'accepted', 'delivered', 'unknown', 'needs_review')
        -- a check passes on NULL, which no approval would make of it
        or coalesce(approved_digest = content_digest, false)),
    constraint four_eyes check (approved_by is null or approved_by <> requested_by or self_approved)
);

-- Work queues: small partial indexes, so that history costs nothing.
create index operations_due on operations (mode, kind, from_number, approved_at, id) where state = 'approved';
create index operations_pending on operations (expires_at) where state in ('preparing', 'pending_approval');
create index operations_window on operations (execute_before) where state = 'approved';
create index operations_open on operations (updated_at) where state in ('sending', 'unknown', 'needs_review');
create index operations_unacknowledged on operations (id)
    where acknowledged_at is null and (
        state in ('sending', 'unknown', 'needs_review', 'approved', 'expired')
        or conflicted_at is not null or duplicate_suspected_at is not null or audio_not_fetched_at is not null);
create index operations_recipient on operations (to_number, id desc);
create index operations_state on operations (state, id desc);
create index operations_match on operations (match_key, id desc);
create unique index operations_sid on operations (provider_sid) where provider_sid is not null;

-- Whether an operation counts as ended: a final state, or accepted and without news for so long that none will come.
create function is_over(o operations) returns boolean language sql immutable as $$
    select o.state in ('delivered', 'failed', 'rejected', 'expired', 'cancelled')
        or (o.state = 'accepted' and o.settled_at is not null)
$$;

-- What a person must look at, until somebody acknowledges it. One definition for the page, the count and the filter.
create function needs_attention(o operations, at timestamptz) returns boolean language sql immutable as $$
    select o.acknowledged_at is null and (
        o.state = 'needs_review'
        or (o.state = 'unknown' and o.unknown_since < at - interval '5 minutes')
        or (o.state = 'sending' and o.sending_deadline < at)
        -- blocked by its twin, backing off, or behind a hold
        or (o.state = 'approved' and o.approved_at < at - interval '10 minutes')
        or (o.state = 'expired' and o.approved_at is not null)
        or o.conflicted_at is not null
        or o.duplicate_suspected_at is not null
        or o.audio_not_fetched_at is not null)
$$;

create function operation_content_is_immutable() returns trigger language plpgsql as $$
begin
    if (old.id, old.mode, old.kind, old.to_number, old.from_number, old.message, old.audio_url, old.speech_text,
        old.voice_id, old.model_id, old.match_key, old.segments, old.encoding, old.requested_by, old.created_at,
        old.idempotency_key)
       is distinct from
       (new.id, new.mode, new.kind, new.to_number, new.from_number, new.message, new.audio_url, new.speech_text,
        new.voice_id, new.model_id, new.match_key, new.segments, new.encoding, new.requested_by, new.created_at,
        new.idempotency_key)
    then
        raise exception 'the content of operation % is immutable', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'content_is_immutable';
    end if;
    -- Only speech that is being made may fill the clip and the digest, once.
    if (old.clip_id is distinct from new.clip_id or old.content_digest is distinct from new.content_digest)
       and not (old.state = 'preparing' and old.content_digest is null and old.clip_id is null)
    then
        raise exception 'the content of operation % is immutable', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'content_is_immutable';
    end if;
    return new;
end $$;
create trigger operation_content_is_immutable before update on operations
    for each row execute function operation_content_is_immutable();

-- The legal moves of `operation/status.rs`, once more where no code can forget them. A test compares the two.
create function operation_moves_are_legal() returns trigger language plpgsql as $$
begin
    if old.state <> new.state and not (old.state || '>' || new.state) = any (array[
        'preparing>pending_approval', 'preparing>failed', 'preparing>expired', 'preparing>cancelled',
        'pending_approval>approved', 'pending_approval>rejected', 'pending_approval>expired',
        'pending_approval>cancelled',
        'approved>pending_approval', 'approved>sending', 'approved>expired', 'approved>cancelled',
        'sending>approved', 'sending>accepted', 'sending>delivered', 'sending>failed', 'sending>unknown',
        'accepted>delivered', 'accepted>failed',
        'unknown>accepted', 'unknown>delivered', 'unknown>failed', 'unknown>approved', 'unknown>needs_review',
        'needs_review>accepted', 'needs_review>delivered', 'needs_review>failed', 'needs_review>approved'])
    then
        raise exception 'operation % cannot move from % to %', old.id, old.state, new.state
            using errcode = 'integrity_constraint_violation', constraint = 'moves_are_legal';
    end if;
    return new;
end $$;
create trigger operation_moves_are_legal before update of state on operations
    for each row execute function operation_moves_are_legal();

-- idempotency: one key, one operation. The owner is the person, so that a new token does not open a second send.
create table idempotency_keys (
    owner uuid not null references users,
    mode text not null,
    route text not null,
    key text not null check (length(key) between 1 and 255),
    fingerprint bytea not null check (length(fingerprint) = 32),
    operation_id uuid not null references operations,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    replays integer not null default 0,
    last_replayed_at timestamptz,
    primary key (owner, mode, route, key)
);
create index idempotency_keys_operation on idempotency_keys (operation_id);

-- approval: each decision of a person or a rule, in order.
create table decisions (
    id bigint generated always as identity primary key,
    operation_id uuid not null references operations,
    decision text not null check (decision in ('approve', 'reject', 'cancel', 'resolve')),
    digest bytea,
    decided_by uuid references users,
    token_id uuid references api_tokens,
    rule text,
    outcome text check (outcome in ('sent', 'failed', 'send_again')),
    sid text,
    reason text,
    self_approved boolean not null default false,
    decided_at timestamptz not null default clock_timestamp(),
    constraint someone_decided check (decided_by is not null or rule is not null)
);
create index decisions_operation on decisions (operation_id, id);

-- ---------------------------------------------------------------------------------------------------------------
-- dispatch: each try to hand an operation to Twilio, committed before the network is touched.
create table attempts (
    id uuid primary key,
    -- what the session advisory lock of this attempt is taken on
    lock_key bigint generated always as identity unique,
    operation_id uuid not null references operations,
    number integer not null,
    state text not null check (state in (
        'sending', 'unknown', 'accepted', 'refused', 'not_sent', 'absent', 'needs_review', 'resolved')),
    mode text not null,
    match_key bytea not null,
    digest bytea not null,
    -- SHA-256 of the 32 random bytes in the callback URL
    ref_hash bytea not null unique check (length(ref_hash) = 32),
    -- account and vault version that were used; null while neither is known
    account_sid text,
    credential_version integer,
    started_at timestamptz not null,
    deadline_at timestamptz not null,
    settle_at timestamptz not null,
    absent_reads integer not null default 0,
    last_absent_at timestamptz,
    provider_sid text,
    bound_by text check (bound_by in ('answer', 'callback', 'list', 'person')),
    http_status integer,
    error_code integer,
    detail text,
    request_id text,
    ended_at timestamptz,
    constraint attempts_number_key unique (operation_id, number)
);
create unique index attempts_one_open_per_match_key on attempts (match_key) where state in ('sending', 'unknown');
create unique index attempts_one_live_per_operation on attempts (operation_id)
    where state in ('sending', 'unknown', 'accepted');
create unique index attempts_sid_bound_once on attempts (provider_sid) where provider_sid is not null;
create index attempts_open on attempts (deadline_at) where state in ('sending', 'unknown', 'needs_review');

-- dispatch: what was looked up about an attempt whose outcome is not known, and what it showed.
create table evidence (
    id bigint generated always as identity primary key,
    attempt_id uuid not null references attempts,
    operation_id uuid not null references operations,
    asked jsonb not null,
    found jsonb not null,
    conclusion text not null,
    at timestamptz not null default clock_timestamp()
);
create index evidence_operation on evidence (operation_id, id);

-- dispatch: when a sender may send next.
create table sender_rates (
    mode text not null,
    kind text not null,
    from_number text not null,
    next_at timestamptz not null default '-infinity',
    primary key (mode, kind, from_number)
);

-- callback: what Twilio reported. Append-only and without foreign keys: storing a fact never waits for a send.
create table provider_events (
    id bigint generated always as identity primary key,
    mode text not null,
    kind text not null check (kind in ('message_status', 'call_status', 'clip_fetch', 'look_up')),
    operation_id uuid,
    attempt_id uuid,
    -- whether the reference in the URL named the attempt, the SID was known, or neither
    matched_by text not null check (matched_by in ('reference', 'sid', 'nothing')),
    account_sid text not null,
    sid text not null,
    status text,
    rank smallint not null,
    error_code integer,
    sequence integer,
    payload jsonb not null,
    received_at timestamptz not null default clock_timestamp(),
    -- SHA-256 of what makes a repeat a repeat
    dedup bytea not null unique
);
create index provider_events_operation on provider_events (operation_id, id) where operation_id is not null;
create index provider_events_attempt on provider_events (attempt_id) where attempt_id is not null;
create index provider_events_sid on provider_events (sid);

-- callback: messages that people sent to us.
create table inbound_messages (
    sid text primary key,
    mode text not null,
    account_sid text not null,
    from_number text not null,
    to_number text not null,
    body text not null,
    payload jsonb not null,
    received_at timestamptz not null default clock_timestamp()
);

-- guard: numbers that must not be contacted.
create table do_not_contact (
    number text primary key,
    reason text not null,
    source text not null check (source in ('person', 'inbound', 'provider')),
    added_by text not null,
    added_at timestamptz not null default clock_timestamp()
);

-- ---------------------------------------------------------------------------------------------------------------
-- audit: what happened, append-only. Each object has a chain of its own, so that a missing or edited line shows.
create table audit_lines (
    id bigint generated always as identity primary key,
    object text not null,
    seq integer not null default 0,
    at timestamptz not null default clock_timestamp(),
    actor text not null,
    actor_id uuid,
    token_id uuid,
    action text not null,
    from_state text,
    to_state text,
    mode text,
    ip text,
    correlation_id text,
    details jsonb not null default '{}',
    prev_hash bytea,
    hash bytea not null,
    constraint audit_lines_object_seq unique (object, seq)
);
create index audit_lines_at on audit_lines (at desc, id desc);

-- Sequence and hash are made here, in the inserting transaction. A line inserted with `seq = 1` starts a chain and
-- needs no look-up; any other reads the head, which the caller's lock on the object's row keeps still.
create function audit_line_is_chained() returns trigger language plpgsql as $$
declare
    head record;
begin
    if new.seq is distinct from 1 then
        if new.object not like 'operation/%' then
            perform pg_advisory_xact_lock(hashtextextended('audit/' || new.object, 0));
        end if;
        select seq, hash into head from audit_lines where object = new.object order by seq desc limit 1;
        new.seq := coalesce(head.seq, 0) + 1;
        new.prev_hash := head.hash;
    else
        new.prev_hash := null;
    end if;
    new.hash := sha256(coalesce(new.prev_hash, ''::bytea) || convert_to(jsonb_build_array(
        new.object, new.seq, extract(epoch from new.at), new.actor, new.actor_id, new.token_id, new.action,
        new.from_state, new.to_state, new.mode, new.ip, new.correlation_id, new.details)::text, 'UTF8'));
    return new;
end $$;
create trigger audit_line_is_chained before insert on audit_lines
    for each row execute function audit_line_is_chained();

create function append_only() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name
        using errcode = 'integrity_constraint_violation', constraint = tg_table_name || '_append_only';
end $$;
create trigger audit_lines_append_only before update or delete or truncate on audit_lines
    for each statement execute function append_only();
create trigger settings_append_only before update or delete or truncate on settings
    for each statement execute function append_only();
create trigger decisions_append_only before update or delete or truncate on decisions
    for each statement execute function append_only();
create trigger evidence_append_only before update or delete or truncate on evidence
    for each statement execute function append_only();
