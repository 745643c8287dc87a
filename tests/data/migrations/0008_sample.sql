-- A recording that Twilio can play.
insert into audio_looks (operation_id, looked_at, http_status, content_type, bytes, etag)
values ('00000000-0000-7000-8000-0000000000d1', '2026-11-23Z', 200, 'audio/mpeg', 8000, '"one"');
