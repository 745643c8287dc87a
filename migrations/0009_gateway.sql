-- The voice gateway: who called us, what they were answered, and what became of it. A table is written by one module
-- only, named above it.

-- gateway/calls: one row a call. Written before Twilio hears our answer, moved forward only.
create table gateway_calls (
    -- the order in which we heard of them
    id bigint generated always as identity primary key,
    sid text not null unique check (sid ~ '^CA[0-9a-fA-F]{32}$'),
    mode text not null check (mode in ('sandbox', 'live')),
    account_sid text not null,
    direction text not null check (direction in ('inbound', 'outbound')),
    -- as Twilio named them: no number where one is withheld, no E.164 where it is another kind of address
    from_number text not null,
    to_number text not null,
    -- what the gateway answered, and why
    verdict text not null check (verdict in (
        'greeted', 'policy_disabled', 'caller_withheld', 'caller_not_allowed', 'over_limit', 'not_inbound', 'not_asked')),
    greeting text,
    -- what was played, where it was not said
    clip_id text references clips,
    state text not null check (state in (
        'ringing', 'answered', 'completed', 'busy', 'no_answer', 'failed', 'canceled', 'refused', 'unknown')),
    -- Twilio's last word
    provider_status text,
    duration_seconds integer,
    started_at timestamptz not null,
    answered_at timestamptz,
    ended_at timestamptz,
    end_reason text,
    -- Twilio said two things that cannot both be true
    conflicted_at timestamptz,
    -- when Twilio is asked how an open call stands; null: not unless it is restarted
    look_at timestamptz,
    looks integer not null default 0,
    constraint an_end_has_a_time check ((ended_at is null) = (state in ('ringing', 'answered')))
);
create index gateway_calls_newest on gateway_calls (mode, id desc);
create index gateway_calls_open on gateway_calls (mode, account_sid, look_at) where ended_at is null;

-- A call goes up step by step, and what has ended stays ended. `unknown` is no end that anybody saw: what Twilio reports
-- afterwards is more.
create function gateway_calls_move_forward() returns trigger language plpgsql as $$
declare
    ranks constant jsonb := '{"ringing": 1, "answered": 2, "unknown": 3}';
begin
    if old.state <> new.state
        and coalesce((ranks -> new.state)::integer, 4) <= coalesce((ranks -> old.state)::integer, 4)
    then
        raise exception 'call % cannot move from % to %', old.sid, old.state, new.state
            using errcode = 'integrity_constraint_violation', constraint = 'gateway_calls_move_forward';
    end if;
    return new;
end $$;
create trigger gateway_calls_move_forward before update of state on gateway_calls
    for each row execute function gateway_calls_move_forward();

-- gateway/calls: what Twilio said about a call, each word of it.
create table gateway_call_events (
    id bigint generated always as identity primary key,
    call_id bigint not null references gateway_calls,
    kind text not null check (kind in ('arrived', 'status', 'look_up')),
    status text,
    payload jsonb not null,
    received_at timestamptz not null
);
create index gateway_call_events_call on gateway_call_events (call_id, id);
create trigger gateway_call_events_append_only before update or delete or truncate on gateway_call_events
    for each statement execute function append_only();

-- gateway/replay: requests that were taken, by the hash of what Twilio signed. A row dies after a day.
create table gateway_requests (
    identity bytea primary key check (length(identity) = 32),
    received_at timestamptz not null
);
create index gateway_requests_age on gateway_requests (received_at);

-- gateway/greetings: what gateways want to play, and the clip that the service made of it. A text that no gateway has
-- asked for in a day is not wanted any more.
create table gateway_greetings (
    mode text not null check (mode in ('sandbox', 'live')),
    -- SHA-256 of the text
    text_hash bytea not null check (length(text_hash) = 32),
    text text not null,
    wanted_at timestamptz not null,
    -- what callers hear
    clip_id text references clips,
    -- what is being made, in the voice that is chosen now
    awaited_clip text references clips,
    -- why there is none, and when it is tried again
    problem text,
    next_try_at timestamptz,
    primary key (mode, text_hash)
);
create index gateway_greetings_clip on gateway_greetings (clip_id) where clip_id is not null;
create index gateway_greetings_awaited on gateway_greetings (awaited_clip) where awaited_clip is not null;

-- A greeting that a gateway wants is needed as well. `since` is a while ago; greetings are wanted anew each hour, and nobody
-- is made to speak again because a gateway was away for a night.
create or replace function clip_is_needed(clip clips, since timestamptz) returns boolean language sql stable as $$
    select exists (
        select
        from operations o
        where o.clip_id = clip.id
            and (not is_over(o) or coalesce(greatest(o.finished_at, o.settled_at), o.updated_at) > since))
        or exists (select from operations o where o.awaited_clip = clip.id and o.state = 'preparing')
        or exists (
            select
            from gateway_greetings g
            where (g.clip_id = clip.id or g.awaited_clip = clip.id) and g.wanted_at > since - interval '1 day')
$$;
