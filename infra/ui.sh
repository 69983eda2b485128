#!/usr/bin/env bash
# The web UI: `ui.sh test` runs its tests (types, logic, and a real browser against a real server), `ui.sh screenshots`
# writes each page at both themes and two widths into engine/server/ui/screenshots.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# shellcheck source=infra/setup/common.sh
. infra/setup/common.sh

infra/setup/node.sh
if [ ! -f engine/server/ui/dist/STAMP ]; then
  say "SKIP: the web UI is not built, so its tests do not run"
  exit 0
fi
infra/setup/browser.sh
if [ -z "${TWINLOOM_BIN:-}" ]; then
  say "building the server with the web UI"
  cargo build --locked --quiet -p twinloom
fi
cd engine/server/ui
case ${1:-test} in
  test)
    npm run --silent check
    npm run --silent test
    # A browser test that hangs is a failure and not a wait.
    timeout --kill-after=20 900 npm run --silent e2e
    ;;
  screenshots) npm run --silent screenshots ;;
  *) die "there is no \`ui.sh $1\`" "ui.sh test, or ui.sh screenshots" ;;
esac
