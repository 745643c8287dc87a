-- Somebody was invited and has not come yet.
insert into users (id, email, name, role, password_hash, invited_at)
values (
    '00000000-0000-7000-8000-00000000000c', 'otto@example.com', 'Otto', 'operator', '$argon2id$sample', '2026-11-27Z');
insert into password_links (user_id, link_hash, purpose, made_by, made_at, expires_at)
values (
    '00000000-0000-7000-8000-00000000000c', sha256('link'), 'invitation', 'grace@example.com', '2026-11-27Z',
    '2026-11-30Z');
