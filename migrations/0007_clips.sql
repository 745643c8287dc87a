-- Clips are kept as long as something needs them, and a day longer. New columns may be empty: processes of the version
-- before do not know them.

-- speech: when the bytes of a clip that is gone were removed; bytes may be shared by clips with the same content.
alter table clips add column bytes_removed_at timestamptz;

create index clips_kept on clips (created_at) where state in ('preparing', 'ready');
create index clips_to_remove on clips (id)
    where state in ('deleted', 'failed') and content_hash is not null and bytes_removed_at is null;
create index clips_content on clips (content_hash) where content_hash is not null;
create index operations_clip on operations (clip_id) where clip_id is not null;

-- Whether a clip may not be removed: something that plays it, or waits for it to be made, is open, or ended later than
-- `since`. Whoever else comes to need clips replaces it.
create function clip_is_needed(clip clips, since timestamptz) returns boolean language sql stable as $$
    select exists (
        select
        from operations o
        where o.clip_id = clip.id
            and (not is_over(o) or coalesce(greatest(o.finished_at, o.settled_at), o.updated_at) > since))
        or exists (select from operations o where o.awaited_clip = clip.id and o.state = 'preparing')
$$;

-- Naming a content waits for whoever is just removing its bytes, and is seen by whoever would remove them next.
create function clip_content_is_locked() returns trigger language plpgsql as $$
begin
    if new.content_hash is not null and new.state in ('preparing', 'ready') then
        perform lock_clip_content(new.content_hash);
    end if;
    return new;
end $$;
create function lock_clip_content(content_hash bytea) returns void language sql as $$
    select pg_advisory_xact_lock(hashtextextended('clip/' || encode(content_hash, 'hex'), 0))
$$;
create trigger clip_content_is_locked before insert or update of content_hash, state on clips
    for each row execute function clip_content_is_locked();

-- An operation takes a clip that can be played. The lock keeps the clip from being removed until the operation that needs
-- it is there to be seen.
create function operation_takes_a_ready_clip() returns trigger language plpgsql as $$
begin
    if new.clip_id is not null and (tg_op = 'INSERT' or new.clip_id is distinct from old.clip_id) then
        perform from clips where id = new.clip_id and state = 'ready' for key share;
        if not found then
            raise exception 'clip % cannot be played', new.clip_id
                using errcode = 'integrity_constraint_violation', constraint = 'clip_is_ready';
        end if;
    end if;
    return new;
end $$;
create trigger operation_takes_a_ready_clip before insert or update of clip_id on operations
    for each row execute function operation_takes_a_ready_clip();
