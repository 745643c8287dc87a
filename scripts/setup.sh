#!/usr/bin/env bash
# Sees to it that this machine can build, run and test Mission Control. On Debian and Ubuntu, as root or where sudo asks
# no password, it installs what is missing; elsewhere it says in one line how to.
#
#   --to-run       not what only the tests need: Chromium and its driver, and Schemathesis
#   --strace       also strace, for `make torture`
#   --no-postgres  not PostgreSQL: DATABASE_URL names one
set -euo pipefail
cd "$(dirname "$0")/.."

browser=yes
strace=
postgres=yes
for argument in "$@"; do
    case $argument in
        --to-run) browser= ;;
        --strace) strace=yes ;;
        --no-postgres) postgres= ;;
        *) echo "unknown argument: $argument" >&2; exit 2 ;;
    esac
done

# Rust is the user's own: it is not installed behind their back.
needed=$(sed -nE 's/^rust-version = "([0-9.]+)"$/\1/p' Cargo.toml)
found=$(rustc --version 2>/dev/null | awk '{ print $2 }') || true
if [ -z "$found" ]; then
    echo "Rust $needed or newer is needed. Install it with: curl --proto '=https' -sSf https://sh.rustup.rs | sh" >&2
    exit 1
fi
if [ "$(printf '%s\n' "$needed" "$found" | sort -V | head -n 1)" != "$needed" ]; then
    echo "Rust $needed or newer is needed, and this is $found. Update it with: rustup update stable" >&2
    exit 1
fi

on_macos=$([ "$(uname)" = Darwin ] && echo yes || true)
missing=
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
if [ -n "$postgres" ] && ! scripts/postgres-bin.sh >/dev/null; then
    missing="$missing postgresql"
fi
if [ -n "$browser" ]; then
    command -v chromium >/dev/null || command -v google-chrome >/dev/null ||
        [ -d "/Applications/Google Chrome.app" ] || missing="$missing chromium"
    command -v chromedriver >/dev/null || missing="$missing chromium-driver"
    python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
fi
if [ -n "$strace" ] && [ -z "$on_macos" ] && ! command -v strace >/dev/null; then
    missing="$missing strace"
fi

# The generator of requests by the API's description, in a folder of its own and at the versions that are written down.
schemathesis() {
    local folder=target/schemathesis wanted=tests/schemathesis/requirements.txt
    if [ -z "$browser" ] || cmp -s "$wanted" "$folder/requirements.txt"; then return; fi
    echo "Installing: Schemathesis, into $folder"
    rm -rf "$folder"
    mkdir -p target
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$wanted"
    cp "$wanted" "$folder/"
}

if [ -z "$missing" ]; then
    schemathesis
    exit 0
fi

if [ -n "$on_macos" ]; then
    case $missing in *gcc*) echo "Missing: a C compiler. Install it with: xcode-select --install" >&2 ;; esac
    case $missing in *postgresql*) echo "Missing: PostgreSQL. Install it with: brew install postgresql@17" >&2 ;; esac
    case $missing in *python3*) echo "Missing: Python. Install it with: brew install python" >&2 ;; esac
    case $missing in *chromium*) echo "Missing: a browser. Install it with: brew install --cask google-chrome chromedriver" >&2 ;; esac
    exit 1
fi

if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root=sudo
else
    as_root=unavailable
fi
if ! command -v apt-get >/dev/null || [ "$as_root" = unavailable ]; then
    echo "Missing:$missing. Install with: sudo apt-get install$missing" >&2
    exit 1
fi

echo "Installing:$missing"
case $missing in
    *postgresql*)
        # Or Debian's package starts a server of its own, which nobody here uses.
        $as_root mkdir -p /etc/postgresql-common
        grep -qs '^create_main_cluster' /etc/postgresql-common/createcluster.conf ||
            echo 'create_main_cluster = false' |
            $as_root tee -a /etc/postgresql-common/createcluster.conf >/dev/null
        ;;
esac
$as_root apt-get update -qq
# shellcheck disable=SC2086 # a list of packages
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null

if [ -n "$postgres" ] && ! scripts/postgres-bin.sh >/dev/null; then
    echo "This system's packages only have an older PostgreSQL, and 15 or newer is needed." >&2
    echo "Add PostgreSQL's own packages: https://wiki.postgresql.org/wiki/Apt" >&2
    exit 1
fi
schemathesis
