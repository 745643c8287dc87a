#!/usr/bin/env bash
# Prints the folder with the programs of PostgreSQL 15 or newer; fails silently if there is none.
# It looks where src/private_postgres/binaries.rs does.
set -uo pipefail

candidates() {
    pg_config --bindir 2>/dev/null
    server=$(command -v postgres) && dirname "$(readlink -f "$server")"
    # shellcheck disable=SC2012 # the names come from packages
    ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin \
        /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin \
        /home/linuxbrew/.linuxbrew/opt/postgresql*/bin \
        /Applications/Postgres.app/Contents/Versions/*/bin 2>/dev/null | sort -rV
}

while IFS= read -r folder; do
    [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] && [ -x "$folder/postgres" ] || continue
    version=$("$folder/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
    if [ "$version" -ge 15 ] 2>/dev/null; then
        echo "$folder"
        exit 0
    fi
done < <(candidates)
exit 1
