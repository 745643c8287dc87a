-- Ada's key of one-time codes.
insert into kept_secrets (purpose, id, key_id, wrapped_key, ciphertext)
values ('one_time_codes', '00000000-0000-7000-8000-00000000000a', 'local', '\x01', '\x02');
