-- The name of an API key.
insert into vault_entries (id, mode, name, version, state, key_id, wrapped_key, ciphertext, hint, created_by)
values (
    '00000000-0000-7000-8000-0000000000e2', 'sandbox', 'twilio_api_key_sid', 1, 'current', 'local', '\x01', '\x02',
    'SK00000000000000000000000000000001', 'Ada');
