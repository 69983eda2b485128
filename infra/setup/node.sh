#!/usr/bin/env bash
# Builds the web UI into engine/server/ui/dist where its sources changed. Safe to repeat. A machine without Node keeps
# the placeholder page, and the server builds and works without the UI.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=infra/setup/common.sh
. "$root/infra/setup/common.sh"
ui=$root/engine/server/ui
fix="install Node.js 20.19 or later with npm (Debian 13: apt-get install nodejs npm), then run infra/setup/node.sh"

if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
  say "no Node.js here: the web UI is not built ($fix)"
  exit 0
fi
have=$(node --version | tr -d v)
if [ "$(printf '20.19.0\n%s\n' "$have" | sort -V | head -n 1)" != 20.19.0 ]; then
  say "Node.js $have is too old, 20.19 is needed: the web UI is not built ($fix)"
  exit 0
fi

cd "$ui"
# Everything that the build reads, and nothing that it writes.
stamp=$(find . \( -name node_modules -o -name dist -o -name screenshots -o -name e2e -o -name schema.d.ts \) -prune -o -type f -print0 |
  LC_ALL=C sort -z | xargs -0 cat | sha256sum | cut -d ' ' -f 1)
if [ -f dist/STAMP ] && [ "$(cat dist/STAMP)" = "$stamp" ] && [ -d node_modules ]; then
  say "the web UI is built (engine/server/ui/dist)"
  exit 0
fi
lock=$(sha256sum package-lock.json | cut -d ' ' -f 1)
if [ ! -f node_modules/.lock ] || [ "$(cat node_modules/.lock)" != "$lock" ]; then
  say "installing the web UI's packages (about 100 MB, once)"
  npm ci --loglevel=error || die "npm could not install the web UI's packages" \
    "check the network and npm's registry (npm config get registry), then run this again"
  printf '%s' "$lock" >node_modules/.lock
fi
say "building the web UI"
npm run --silent build || die "the web UI does not build" "see the message above"
printf '%s' "$stamp" >dist/STAMP
