#!/usr/bin/env bash
# A Chromium for the tests of the web UI: what is there, else Debian's package where that can be installed. Without one
# the tests in a browser say that they skip.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=infra/setup/common.sh
. "$root/infra/setup/common.sh"

for path in "${CHROMIUM:-}" /usr/bin/chromium /usr/bin/chromium-browser /usr/bin/google-chrome; do
  [ -n "$path" ] && [ -x "$path" ] && exit 0
done
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  say "no Chromium here: the tests in a browser will skip (apt-get install chromium, or set CHROMIUM to one)"
  exit 0
fi
say "installing Debian's Chromium for the tests of the web UI (once)"
if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; } >/dev/null 2>&1; then
  say "Chromium could not be installed: the tests in a browser will skip"
fi
