-- The first day began with nothing.
insert into audit_checkpoints (day, lines, objects, heads, hash)
values ('2026-11-23', 0, 0, sha256(''), sha256('a checkpoint'));
