-- Accepted, its last report never came, and Twilio is asked again; and a report that named it with another reference.
insert into operations (
    id, mode, kind, state, to_number, from_number, message, content_digest, match_key, segments, encoding,
    requested_by, source, correlation_id, idempotency_key, gate_rule, expires_at,
    approved_by, approved_digest, approved_at, execute_before, attempts, provider_sid, provider_status, provider_rank,
    accepted_at, poll_at)
values (
    '00000000-0000-7000-8000-0000000000d5', 'sandbox', 'sms', 'accepted', '+14155550135', '+15005550006', 'Polled',
    sha256('polled'), sha256('match polled'), 1, 'GSM-7',
    '00000000-0000-7000-8000-00000000000a', 'api', 'sample-5', 'key-5',
    'Every operation waits for a person', '2026-11-24Z',
    '00000000-0000-7000-8000-00000000000b', sha256('polled'), '2026-11-23Z', '2026-11-23 01:00Z', 1,
    'SM00000000000000000000000000000005', 'sent', 4, '2026-11-23Z', '2026-11-23 00:10Z');
insert into attempts (
    id, operation_id, number, state, mode, match_key, digest, ref_hash, account_sid, started_at, deadline_at, settle_at,
    next_look_at, provider_sid, bound_by, ended_at)
values (
    '00000000-0000-7000-8000-0000000000f5', '00000000-0000-7000-8000-0000000000d5', 1, 'accepted', 'sandbox',
    sha256('match polled'), sha256('polled'), sha256('reference polled'), 'AC00000000000000000000000000000001',
    '2026-11-23Z', '2026-11-23 00:00:30Z', '2026-11-23 00:01:30Z', '2026-11-23 00:02:30Z',
    'SM00000000000000000000000000000005', 'list', '2026-11-23 00:01:40Z');
insert into provider_events (mode, kind, named_operation, matched_by, account_sid, sid, status, rank, payload, dedup)
values (
    'sandbox', 'message_status', '00000000-0000-7000-8000-0000000000d5', 'nothing',
    'AC00000000000000000000000000000001', 'SM00000000000000000000000000000006', 'sent', 4, '{}', sha256('orphan'));
