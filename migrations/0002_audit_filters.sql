-- audit: who, what and which request, each found at once in a history of millions. Measured with a million lines: a
-- filter that matches few of them reads the whole table without its index (0.2 s and growing), and those few with it
-- (under 5 ms). What the three add to the writing of a line is within the noise of measuring it (25 microseconds, of
-- which the hash is most): keys that repeat are stored once, and a request's lines come together.
--
-- Objects and days have indexes already (`audit_lines_object_seq`, `audit_lines_at`, which is the order of the list as
-- well). Words have none: an index over the details would cost more than the rest of the line.
create index audit_lines_actor on audit_lines (actor);
-- `text_pattern_ops`: all actions of a subject are those that begin with its name.
create index audit_lines_action on audit_lines (action text_pattern_ops);
create index audit_lines_correlation on audit_lines (correlation_id);
