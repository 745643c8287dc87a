-- Grace has a second factor, used one recovery code, and is between her password and her code.
insert into second_factors (id, user_id, made_at, set_at, last_step)
values (
    '00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-00000000000b', '2026-11-27Z', '2026-11-27Z',
    59000000);
insert into recovery_codes (user_id, code_hash, made_at, used_at)
values ('00000000-0000-7000-8000-00000000000b', sha256('recovery'), '2026-11-27Z', '2026-11-27Z');
insert into half_sessions (token_hash, user_id, made_at, expires_at)
values (sha256('half'), '00000000-0000-7000-8000-00000000000b', '2026-11-27Z', '2026-11-27 00:05Z');
