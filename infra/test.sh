#!/usr/bin/env bash
# make test: set-up, servers for the tests on loopback, every test of the workspace.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
. infra/setup/common.sh
infra/setup/all.sh

stop() {
  infra/test-servers/postgres.sh stop || true
  infra/test-servers/s3.sh stop || true
  infra/test-servers/rabbitmq.sh stop || true
}
trap stop EXIT
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

say "building and testing (the first time takes some minutes)"
# Both binaries are built before the first test runs: the command line's tests start the worker.
cargo test --workspace --locked --no-fail-fast "$@"

say "trying the API against its own document"
binary=$(realpath "${CARGO_TARGET_DIR:-target}")/debug/twinloom
TWINLOOM=$binary infra/test-servers/api.sh

say "testing the web UI"
TWINLOOM_BIN=$binary infra/ui.sh test
