-- Grace signs in at the company's provider as well.
insert into user_identities (issuer, subject, user_id, linked_at, last_sign_in_at, second_factor)
values ('https://id.example.com', '4711', '00000000-0000-7000-8000-00000000000b', '2026-11-27Z', '2026-11-27Z', true);
