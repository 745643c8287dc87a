-- A clip whose bytes are gone.
insert into clips (
    id, request_hash, state, text_spoken, content_hash, content_type, bytes, created_at, ready_at, deleted_at,
    bytes_removed_at)
values (
    'clip-removed-0123456789abcdef0123456789ab', sha256('clip removed'), 'deleted', 'Hello', sha256('audio'), 'audio/mpeg',
    8000, '2026-11-20Z', '2026-11-20Z', '2026-11-22Z', '2026-11-22Z');
