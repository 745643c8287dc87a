-- A call from text that waits for its approval, and the clip that was made of it; and one whose clip is being made.
insert into clips (
    id, request_hash, state, text_spoken, voice_id, model_id, format, content_hash, content_type, bytes, tries, ready_at)
values (
    'clip-made-0123456789abcdef0123456789abcdef', sha256('clip made'), 'ready', 'Your table is ready.', 'voice-1', 'model-1',
    'mp3_44100_64', sha256('audio'), 'audio/mpeg', 16000, 1, '2026-11-23Z');
insert into operations (
    id, mode, kind, state, to_number, from_number, speech_text, voice_id, model_id, clip_id, awaited_clip, content_digest,
    match_key, requested_by, source, correlation_id, idempotency_key, gate_rule, expires_at)
values (
    '00000000-0000-7000-8000-0000000000d6', 'sandbox', 'call', 'pending_approval', '+14155550136', '+15005550006',
    'Your table is ready.', 'voice-1', 'model-1', 'clip-made-0123456789abcdef0123456789abcdef',
    'clip-made-0123456789abcdef0123456789abcdef', sha256('spoken'), sha256('match spoken'),
    '00000000-0000-7000-8000-00000000000a', 'api', 'sample-6', 'key-6', 'Every operation waits for a person',
    '2026-11-24Z');
insert into operations (
    id, mode, kind, state, to_number, from_number, speech_text, awaited_clip, match_key, requested_by, source,
    correlation_id, idempotency_key, gate_rule, expires_at)
values (
    '00000000-0000-7000-8000-0000000000d7', 'sandbox', 'call', 'preparing', '+14155550137', '+15005550006', 'Hello',
    'clip-0123456789abcdef0123456789abcdef', sha256('match preparing'), '00000000-0000-7000-8000-00000000000a', 'api',
    'sample-7', 'key-7', 'Every operation waits for a person', '2026-11-24Z');
