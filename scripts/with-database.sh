#!/usr/bin/env bash
# Runs a command with DATABASE_URL naming a throw-away database that has all migrations and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! bin=$(scripts/postgres-bin.sh); then
    echo "PostgreSQL 15 or newer is not installed. Install it with: make setup" >&2
    exit 1
fi

# Not under TMPDIR: PostgreSQL's account may not be able to enter it, and the path of a socket has to be short.
folder=$(mktemp -d /tmp/mc-database.XXXXXX)
account=
if [ "$(id -u)" = 0 ]; then
    # PostgreSQL refuses to run as root.
    account=$(id -un postgres 2>/dev/null || echo nobody)
    chown "$account" "$folder"
fi

# In a folder that the account can enter, whatever ours is.
as_owner() (
    cd /
    if [ -n "$account" ]; then
        exec setpriv --reuid "$account" --regid "$(id -g "$account")" --clear-groups env LC_ALL=C "$@"
    fi
    exec env LC_ALL=C "$@"
)

finish() {
    as_owner "$bin/pg_ctl" stop --pgdata "$folder/data" --mode immediate --silent >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap finish EXIT

as_owner "$bin/initdb" --pgdata "$folder/data" --username postgres --auth trust \
    --encoding UTF8 --locale C --no-sync >/dev/null
as_owner "$bin/pg_ctl" start --pgdata "$folder/data" --wait --silent --log "$folder/log" \
    --options "-c listen_addresses= -c unix_socket_directories=$folder -c fsync=off" >/dev/null

psql=("$bin/psql" --no-psqlrc --quiet --set ON_ERROR_STOP=1 --host "$folder" --username postgres)
"${psql[@]}" --dbname postgres --command "create database mission_control"
for migration in migrations/*.sql; do
    "${psql[@]}" --dbname mission_control --single-transaction --file "$migration" >/dev/null
done

export DATABASE_URL="postgres:///mission_control?host=$folder&user=postgres"
"$@"
