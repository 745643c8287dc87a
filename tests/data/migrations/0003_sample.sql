-- A call that waits for its approval.
insert into operations (
    id, mode, kind, state, to_number, from_number, audio_url, content_digest, match_key, requested_by, source,
    correlation_id, idempotency_key, gate_rule, expires_at)
values (
    '00000000-0000-7000-8000-0000000000d9', 'sandbox', 'call', 'pending_approval', '+14155550132', '+15005550006',
    'https://example.com/hello.mp3', sha256('call'), sha256('match call'), '00000000-0000-7000-8000-00000000000a', 'api',
    'sample-3', 'key-3', 'Every operation waits for a person', '2026-11-24Z');
