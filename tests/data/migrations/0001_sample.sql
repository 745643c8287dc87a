-- One row in every table after 0001_foundation.sql: what a later migration has to cope with. Ada asks, Grace approves.
update deployment set mode = 'sandbox', system_identifier = 1, timeline_id = 1, incarnation = 1;
update hold set changed_by = 'Ada';
insert into settings (document, changed_by) values ('{"approval": {"required": true}}', 'first start');

insert into users (id, email, name, role, password_hash) values
    ('00000000-0000-7000-8000-00000000000a', 'ada@example.com', 'Ada', 'operator', '$argon2id$sample'),
    ('00000000-0000-7000-8000-00000000000b', 'grace@example.com', 'Grace', 'approver', '$argon2id$sample');
insert into sessions (token_hash, user_id, expires_at)
values (sha256('session'), '00000000-0000-7000-8000-00000000000b', '2027-01-01Z');
insert into api_tokens (id, user_id, name, token_hash, hint, scopes)
values (
    '00000000-0000-7000-8000-0000000000c1', '00000000-0000-7000-8000-00000000000a', 'nightly', sha256('token'), 'wxyz',
    '{operations:read,operations:write}');
insert into sign_in_failures values ('account:ada@example.com', 1, '2026-11-23Z', '2026-11-23Z');

insert into vault_entries (id, mode, name, version, state, key_id, wrapped_key, ciphertext, hint, created_by)
values (
    '00000000-0000-7000-8000-0000000000e1', 'sandbox', 'twilio_auth_token', 1, 'current', 'local', '\x01', '\x02', 'abcd',
    'Ada');
insert into vault_canaries (key_id, ciphertext) values ('local', '\x03');
insert into clips (id, request_hash, state, text_spoken)
values ('clip-0123456789abcdef0123456789abcdef', sha256('clip'), 'preparing', 'Hello');

-- Accepted by Twilio, asked for with a token and a key.
insert into operations (
    id, mode, kind, state, to_number, from_number, message, content_digest, match_key, segments, encoding,
    requested_by, requested_token, source, correlation_id, idempotency_key, gate_rule, expires_at,
    approved_by, approved_digest, approved_at, execute_before, attempts, provider_sid, provider_status, provider_rank,
    accepted_at)
values (
    '00000000-0000-7000-8000-0000000000d1', 'sandbox', 'sms', 'accepted', '+14155550132', '+15005550006', 'Hello',
    sha256('content'), sha256('match'), 1, 'GSM-7',
    '00000000-0000-7000-8000-00000000000a', '00000000-0000-7000-8000-0000000000c1', 'api', 'sample-1', 'key-1',
    'Every operation waits for a person', '2026-11-24Z',
    '00000000-0000-7000-8000-00000000000b', sha256('content'), '2026-11-23Z', '2026-11-23 01:00Z', 1,
    'SM00000000000000000000000000000001', 'queued', 2, '2026-11-23Z');
insert into idempotency_keys (owner, mode, route, key, fingerprint, operation_id, expires_at)
values (
    '00000000-0000-7000-8000-00000000000a', 'sandbox', 'twilio.send-sms', 'key-1', sha256('request'),
    '00000000-0000-7000-8000-0000000000d1', '2026-12-23Z');
insert into decisions (operation_id, decision, digest, decided_by)
values (
    '00000000-0000-7000-8000-0000000000d1', 'approve', sha256('content'), '00000000-0000-7000-8000-00000000000b');

insert into attempts (
    id, operation_id, number, state, mode, match_key, digest, ref_hash, account_sid, started_at, deadline_at, settle_at,
    provider_sid, bound_by, http_status, ended_at)
values (
    '00000000-0000-7000-8000-0000000000f1', '00000000-0000-7000-8000-0000000000d1', 1, 'accepted', 'sandbox',
    sha256('match'), sha256('content'), sha256('reference'), 'AC00000000000000000000000000000001',
    '2026-11-23Z', '2026-11-23 00:00:30Z', '2026-11-23 00:01:30Z',
    'SM00000000000000000000000000000001', 'answer', 201, '2026-11-23 00:00:01Z');
insert into evidence (attempt_id, operation_id, asked, found, conclusion)
values (
    '00000000-0000-7000-8000-0000000000f1', '00000000-0000-7000-8000-0000000000d1', '{}', '[]', 'absent');
insert into sender_rates (mode, kind, from_number) values ('sandbox', 'sms', '+15005550006');

insert into provider_events (mode, kind, operation_id, matched_by, account_sid, sid, status, rank, payload, dedup)
values (
    'sandbox', 'message_status', '00000000-0000-7000-8000-0000000000d1', 'reference',
    'AC00000000000000000000000000000001', 'SM00000000000000000000000000000001', 'queued', 2, '{}', sha256('event'));
insert into inbound_messages (sid, mode, account_sid, from_number, to_number, body, payload)
values (
    'SM00000000000000000000000000000002', 'sandbox', 'AC00000000000000000000000000000001', '+14155550132',
    '+15005550006', 'STOP', '{}');
insert into do_not_contact (number, reason, source, added_by) values ('+14155550199', 'asked us', 'person', 'Ada');
insert into audit_lines (object, seq, actor, action, details)
values ('operation/00000000-0000-7000-8000-0000000000d1', 1, 'Ada', 'operation.asked', '{}');
