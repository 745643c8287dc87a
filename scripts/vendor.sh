#!/usr/bin/env bash
# Fetches the vendored scripts anew from npm, at the versions pinned here, and writes their checksums. Only for raising a
# version: building and testing use what is committed.
set -euo pipefail
cd "$(dirname "$0")/.."

htmx=4.0.1
axe=4.14.1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# package NAME VERSION: unpacks a package of npm into $work/NAME.
package() {
    (cd "$work" && npm pack --silent "$1@$2" >/dev/null && mkdir "$1" && tar xzf "$1-$2.tgz" -C "$1" --strip-components 1)
}

package htmx.org "$htmx"
mkdir -p static/vendor/htmx
cp "$work/htmx.org/dist/htmx.min.js" "$work/htmx.org/dist/ext/hx-sse.min.js" static/vendor/htmx/
cp "$work/htmx.org/LICENSE" static/vendor/htmx/LICENSE.txt
(cd static/vendor && sha256sum htmx/* >SHA256SUMS)

package axe-core "$axe"
mkdir -p tests/vendor/axe-core
cp "$work/axe-core/axe.min.js" "$work/axe-core/LICENSE" "$work/axe-core/LICENSE-3RD-PARTY.txt" tests/vendor/axe-core/
(cd tests/vendor && sha256sum axe-core/* >SHA256SUMS)
