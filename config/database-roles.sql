-- The role that the service runs as, when the database is yours: it reads and writes rows, and can neither change the schema
-- nor change or remove what the audit says. As the owner of the database, after `mission-control migrate` and again after
-- each upgrade:
--
--   psql --set ON_ERROR_STOP=1 --file database-roles.sql "$OWNER_URL"
--   psql --command '\password mission_control_service' "$OWNER_URL"
--
-- Then DATABASE_URL of the service names this role, and the owner's address is kept for `migrate` alone.

do $$
begin
    if not exists (select from pg_roles where rolname = 'mission_control_service') then
        create role mission_control_service login;
    end if;
exception
    -- another database of this server was given the role at the same time
    when duplicate_object or unique_violation then null;
end
$$;

revoke create on schema public from public;
grant usage on schema public to mission_control_service;

grant select, insert, update, delete on all tables in schema public to mission_control_service;
grant usage on all sequences in schema public to mission_control_service;
-- what a later migration makes, until this is run again
alter default privileges in schema public grant select, insert, update, delete on tables to mission_control_service;
alter default privileges in schema public grant usage on sequences to mission_control_service;

-- what happened is only added to
revoke update, delete on audit_lines, audit_checkpoints from mission_control_service;
revoke insert, update, delete on _sqlx_migrations from mission_control_service;
