-- Lines as they are found after 0002_audit_filters.sql: by a part of the service, without a request, and by a person.
insert into audit_lines (object, actor, action) values ('deployment', 'start', 'deployment.recognised');
insert into audit_lines (object, actor, actor_id, action, ip, correlation_id)
values (
    'user/grace@example.com', 'grace@example.com', '00000000-0000-7000-8000-00000000000b', 'user.signed_in', '192.0.2.7',
    'sample-2');
