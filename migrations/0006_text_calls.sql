-- Calls from text. Their speech is made while they are `preparing`; the clip that was made is what an approver hears, what
-- the digest is bound to, and what is played. New columns may be empty: processes of the version before do not know them.

-- speech: what failed or was deleted can be made anew, under a new name.
alter table clips drop constraint clips_request_hash_key;
create unique index clips_one_a_request on clips (request_hash) where state in ('preparing', 'ready');
alter table clips
    -- who makes it, and until when; whoever finds this past takes over
    add column leased_by uuid,
    add column leased_until timestamptz,
    add column tries integer not null default 0,
    -- when it is tried again, after a failure that may pass
    add column try_at timestamptz,
    add column reason_code text;
create index clips_to_make on clips (created_at) where state = 'preparing';

-- What was made never changes: an approval is bound to the hash of these bytes.
create function clip_is_immutable() returns trigger language plpgsql as $$
begin
    if (old.id, old.request_hash, old.text_spoken, old.voice_id, old.model_id, old.format)
        is distinct from (new.id, new.request_hash, new.text_spoken, new.voice_id, new.model_id, new.format)
       or (old.state <> 'preparing' and (old.content_hash, old.content_type, old.bytes)
        is distinct from (new.content_hash, new.content_type, new.bytes))
       or (old.state <> new.state and not (old.state || '>' || new.state) = any (array[
        'preparing>ready', 'preparing>failed', 'preparing>deleted', 'ready>deleted', 'failed>deleted']))
    then
        raise exception 'clip % is immutable', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'clip_is_immutable';
    end if;
    return new;
end $$;
create trigger clip_is_immutable before update on clips for each row execute function clip_is_immutable();

-- operation: the clip that is being made for it. `clip_id` is filled when there is something to hear.
alter table operations add column awaited_clip text references clips;
create index operations_preparing on operations (mode, id) where state = 'preparing';
create index operations_awaiting on operations (awaited_clip) where state = 'preparing';
-- No row that is there already is a call from text, so nothing has to be read to know that the rule holds.
alter table operations add constraint speech_is_made check (
    speech_text is null
    or state in ('preparing', 'failed', 'cancelled', 'expired')
    or (clip_id is not null and voice_id is not null and model_id is not null)) not valid;

create or replace function operation_content_is_immutable() returns trigger language plpgsql as $$
begin
    if (old.id, old.mode, old.kind, old.to_number, old.from_number, old.message, old.audio_url, old.speech_text,
        old.match_key, old.segments, old.encoding, old.requested_by, old.created_at, old.idempotency_key)
       is distinct from
       (new.id, new.mode, new.kind, new.to_number, new.from_number, new.message, new.audio_url, new.speech_text,
        new.match_key, new.segments, new.encoding, new.requested_by, new.created_at, new.idempotency_key)
    then
        raise exception 'the content of operation % is immutable', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'content_is_immutable';
    end if;
    -- Only speech that is being made may fill the clip and the digest, once, and with them what was left to choose.
    if (old.clip_id, old.content_digest, old.voice_id, old.model_id)
        is distinct from (new.clip_id, new.content_digest, new.voice_id, new.model_id)
       and not (old.state = 'preparing' and old.content_digest is null and old.clip_id is null
        and new.content_digest is not null
        and coalesce(old.voice_id = new.voice_id, old.voice_id is null)
        and coalesce(old.model_id = new.model_id, old.model_id is null))
    then
        raise exception 'the content of operation % is immutable', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'content_is_immutable';
    end if;
    return new;
end $$;
