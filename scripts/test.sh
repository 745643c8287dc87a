#!/usr/bin/env bash
# Runs all tests, then stops the PostgreSQL that they share (tests/it/support/postgres.rs).
set -uo pipefail
cd "$(dirname "$0")/.."

# The examples in the documentation first, so that the last line is about the tests proper.
cargo test --doc && cargo test --lib --bins --tests
status=$?

cluster=target/test-postgres
server=$(head -n 1 $cluster/postgres/postmaster.pid 2>/dev/null)
# Not while another run uses it; without flock (macOS) that cannot be told, and it keeps running.
if [ -n "$server" ] && command -v flock >/dev/null; then
    flock --nonblock $cluster/postgres.lock kill -INT "$server"
fi
exit $status
