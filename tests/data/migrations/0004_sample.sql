-- A test of the integrations that Twilio refused.
insert into operations (
    id, mode, kind, state, to_number, from_number, message, content_digest, match_key, segments, encoding,
    requested_by, source, note, correlation_id, idempotency_key, gate_rule, expires_at,
    approved_by, approved_digest, approved_at, execute_before, attempts, error_code, reason, reason_code, finished_at)
values (
    '00000000-0000-7000-8000-0000000000d4', 'sandbox', 'sms', 'failed', '+15005550001', '+15005550006', 'Test',
    sha256('test'), sha256('match test'), 1, 'GSM-7',
    '00000000-0000-7000-8000-00000000000a', 'page', 'Test from the integrations page', 'sample-4', 'key-4',
    'Every operation waits for a person', '2026-11-24Z',
    '00000000-0000-7000-8000-00000000000b', sha256('test'), '2026-11-23Z', '2026-11-23 01:00Z', 1, 21211,
    'The recipient''s number is not valid.', 'provider_refused', '2026-11-23Z');
insert into attempts (
    id, operation_id, number, state, mode, match_key, digest, ref_hash, account_sid, started_at, deadline_at, settle_at,
    http_status, error_code, detail, ended_at)
values (
    '00000000-0000-7000-8000-0000000000f4', '00000000-0000-7000-8000-0000000000d4', 1, 'refused', 'sandbox',
    sha256('match test'), sha256('test'), sha256('reference test'), 'AC00000000000000000000000000000001',
    '2026-11-23Z', '2026-11-23 00:00:30Z', '2026-11-23 00:01:30Z', 400, 21211, 'The recipient''s number is not valid.',
    '2026-11-23 00:00:01Z');
