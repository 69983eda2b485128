#!/usr/bin/env bash
# make test: set-up, servers for the tests on loopback, every test of the workspace, and what was skipped.
# TWINLOOM_NO_SKIP=1 fails where a test was skipped (a server, the embedder, Node.js or Chromium was not to be had).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
. infra/setup/common.sh
# The tests talk to servers on loopback, which a proxy does not reach.
export NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}${no_proxy:+,$no_proxy}"
export no_proxy="$NO_PROXY"
infra/setup/all.sh

stop() {
  infra/test-servers/postgres.sh stop || true
  infra/test-servers/s3.sh stop || true
  infra/test-servers/rabbitmq.sh stop || true
}
log=$(mktemp)
trap 'stop; rm -f "$log"' EXIT
stop >/dev/null 2>&1
# Each prints NAME=VALUE lines; a server that cannot be had says so, and its tests say that they skip.
for server in postgres s3 rabbitmq; do
  if settings=$(infra/test-servers/$server.sh start); then
    while IFS= read -r line; do
      case $line in TWINLOOM_TEST_*=*) export "${line?}" ;; esac
    done <<<"$settings"
  else
    say "no $server server: its tests will skip"
  fi
done

failed=()
# Runs a part, keeps what it says, and goes on where it fails: one run tells everything.
part() {
  local name=$1
  shift
  say "$name"
  "$@" 2>&1 | tee -a "$log" || failed+=("$name")
}

# Both binaries are built before the first test runs: the command line's tests start the worker.
part "building and testing (the first time takes some minutes)" cargo test --workspace --locked --no-fail-fast "$@"

binary=$(realpath "${CARGO_TARGET_DIR:-target}")/debug/twinloom
TWINLOOM=$binary part "trying the API against its own document" infra/test-servers/api.sh

TWINLOOM_BIN=$binary part "testing the web UI" infra/ui.sh test

skipped=$(grep -ao "SKIP: .*" "$log" | sort | uniq -c || true)
if [ -n "$skipped" ]; then
  say "skipped, because something is not here:"
  printf '%s\n' "$skipped"
  [ -z "${TWINLOOM_NO_SKIP:-}" ] || failed+=("tests were skipped (TWINLOOM_NO_SKIP)")
else
  say "no test was skipped"
fi
for name in "${failed[@]}"; do say "FAILED: $name"; done
[ ${#failed[@]} -eq 0 ]
