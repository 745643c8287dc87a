-- Looking at what Twilio has: for attempts whose outcome is not known, for what it accepted and never reported on, and
-- for reports that came before we knew whose they are. New columns may be empty: processes of the version before do not
-- know them.

-- dispatch: when the next look at an attempt is due; pushed ahead by whichever process looks, so that the others do not.
alter table attempts add column next_look_at timestamptz;

-- Bound by what a list or a person said: Twilio's own report may still name another SID.
create index attempts_bound_by_inference on attempts (started_at)
    where state = 'accepted' and bound_by in ('list', 'person');

-- dispatch: when Twilio is asked again about what it accepted and has not reported the end of.
alter table operations add column poll_at timestamptz;
create index operations_to_poll on operations (accepted_at)
    where state = 'accepted' and settled_at is null and poll_at is null;
create index operations_to_poll_again on operations (poll_at)
    where state = 'accepted' and settled_at is null and poll_at is not null;

-- callback: the operation that the report's URL named, believed or not.
alter table provider_events add column named_operation uuid;
create index provider_events_orphans on provider_events (sid) where matched_by = 'nothing';
