-- operation/audio_look: what was seen at the address of a recording when a call was asked for, once. Shown to whoever
-- approves; what is approved is the address. Without a foreign key: writing it down never waits for the call.
create table audio_looks (
    operation_id uuid primary key,
    looked_at timestamptz not null default clock_timestamp(),
    -- of the answer, if there was one
    http_status integer,
    content_type text,
    bytes bigint check (bytes >= 0),
    etag text,
    -- in a sentence, what speaks against it
    problem text
);
create trigger audio_looks_append_only before update or delete or truncate on audio_looks
    for each statement execute function append_only();
