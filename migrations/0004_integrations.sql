-- The page "Integrations" shows the newest attempt that failed and the newest tests. Both are rare: without an index each
-- reads all of a long history (0.2 s and 0.06 s with 400,000 operations, and growing), with it a few rows. Partial, so
-- that what is sent as planned pays for neither.
create index attempts_failed on attempts (mode, id) where state in ('refused', 'not_sent', 'unknown');
create index operations_tests on operations (mode, id)
    where note = 'Test from the integrations page' and source = 'page';
