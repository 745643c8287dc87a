-- Twilio fetches a recording by its address alone, from a public route: which call plays it must be found without
-- reading the history. Calls only, so that asking for an SMS pays nothing.
create index operations_audio_url on operations (audio_url) where audio_url is not null;
