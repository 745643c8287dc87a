-- vault: an API key of Twilio, with which requests are made in the auth token's place. The constraint only becomes wider:
-- programs that do not know the two names write none of them. They close their vault while one is stored, so stop them
-- before the first key is.
alter table vault_entries
    drop constraint vault_entries_name_check,
    add constraint vault_entries_name_check check (name in (
        'twilio_account_sid', 'twilio_auth_token', 'twilio_api_key_sid', 'twilio_api_key_secret', 'twilio_phone_number',
        'elevenlabs_api_key'));
