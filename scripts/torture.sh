#!/usr/bin/env bash
# Everything that `make test` runs a slice of: the model with larger budgets, every point at which the program can be
# killed, paused or cut, the same at its system calls, every fault of Twilio's a hundred times, histories of three processes,
# long clips, and every page in every width and colour. A seed repeats a run:
#   MISSION_CONTROL_SEED=7 make torture
# Some of it alone: scripts/torture.sh histories::
set -euo pipefail
cd "$(dirname "$0")/.."
# Without it only the strikes at system calls are left out, and their line says so.
scripts/setup.sh --strace || true
log=$(mktemp)
trap 'rm -f "$log"' EXIT
proofs=("$@")
[ "${#proofs[@]}" -gt 0 ] || proofs=(model:: sweep:: provider_faults:: histories:: clips::memory browser:: schemathesis::)
status=0
MISSION_CONTROL_TORTURE=full cargo test --test it -- --nocapture --test-threads=1 "${proofs[@]}" 2>&1 | tee "$log" || status=$?
echo
echo "What it came to:"
grep -aoE '(^|\.\.\. )(model|sweep|provider_faults|histories|clips|browser|schemathesis)[ :].*|^test result.*' "$log" | sed 's/^\.\.\. //' || true
exit "$status"
