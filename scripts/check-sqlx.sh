#!/usr/bin/env bash
# Fails if .sqlx is not what the statements and migrations make: stale, incomplete, or with leftovers.
set -euo pipefail
cd "$(dirname "$0")/.."

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
scripts/with-database.sh scripts/write-sqlx.sh "$fresh"
if ! diff --recursive --brief .sqlx "$fresh"; then
    echo ".sqlx does not fit the statements and migrations. Write it anew with: make sqlx" >&2
    exit 1
fi
