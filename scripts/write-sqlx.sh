#!/usr/bin/env bash
# Writes what sqlx knows of each statement into a folder, from the database in DATABASE_URL.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -rf "$1"
mkdir -p "$1"
folder=$(cd "$1" && pwd)
# sqlx writes while the crate compiles, so it has to compile.
touch src/lib.rs
SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$folder cargo check --quiet --all-targets
