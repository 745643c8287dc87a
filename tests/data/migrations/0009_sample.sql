-- Somebody called, heard the greeting and hung up; the greeting is still wanted.
insert into gateway_calls (
    sid, mode, account_sid, direction, from_number, to_number, verdict, greeting, state, provider_status, started_at,
    ended_at, end_reason)
values (
    'CA00000000000000000000000000000009', 'sandbox', 'AC00000000000000000000000000000001', 'inbound', '+14155550132',
    '+15005550006', 'greeted', 'Hello', 'completed', 'completed', '2026-11-23Z', '2026-11-23 00:00:09Z', 'completed');
insert into gateway_call_events (call_id, kind, status, payload, received_at)
select id, 'status', 'completed', '{}', '2026-11-23 00:00:09Z' from gateway_calls;
insert into gateway_requests (identity, received_at) values (sha256('request'), '2026-11-23Z');
insert into gateway_greetings (mode, text_hash, text, wanted_at)
values ('sandbox', sha256('Hello'), 'Hello', '2026-11-23Z');
