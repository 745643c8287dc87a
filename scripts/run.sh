#!/usr/bin/env bash
# Checks everything that can be checked before compiling, then builds and starts Mission Control.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/load-env.sh

if [ -n "${DATABASE_URL:-}" ]; then
    scripts/setup.sh --to-run --no-postgres
else
    scripts/setup.sh --to-run
fi

listen=${MISSION_CONTROL_LISTEN:-127.0.0.1:3000}
port=${listen##*:}
host=${listen%:*}
host=${host#[}
host=${host%]}
case $host in 0.0.0.0 | ::) host=127.0.0.1 ;; esac
if [ "$port" != 0 ] && (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null; then
    echo "Port $port is in use. Stop what uses it, or choose another: MISSION_CONTROL_LISTEN=127.0.0.1:$((port + 1)) make run" >&2
    exit 1
fi

# The build shows its progress: the first one takes minutes.
cargo build
exec cargo run --quiet -- serve
