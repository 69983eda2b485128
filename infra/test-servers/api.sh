#!/usr/bin/env bash
# Tries the API against its own document with schemathesis: every operation, bounded examples, no server error allowed.
# Starts `twinloom up` over a fresh home; skips, and says so, where pip cannot get schemathesis.
# Environment: TWINLOOM (the binary), EXAMPLES (per operation, default 15), MAX_SECONDS (default 60).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
say() { printf '[api] %s\n' "$*" >&2; }

twinloom=${TWINLOOM:-target/release/twinloom}
[ -x "$twinloom" ] || { say "SKIP: $twinloom is not built (make build)"; exit 0; }
venv=.cache/venv-schemathesis
if [ ! -x "$venv/bin/schemathesis" ]; then
  log=$(mktemp)
  python3 -m venv "$venv" >"$log" 2>&1 || {
    say "SKIP: schemathesis could not be installed: python3 -m venv fails (Debian: apt-get install python3-venv)"
    rm -rf "$venv" "$log"
    exit 0
  }
  if ! "$venv/bin/pip" install --quiet --disable-pip-version-check 'schemathesis>=4,<5' >"$log" 2>&1; then
    say "SKIP: schemathesis could not be installed: $(tail -n 1 "$log")"
    rm -rf "$venv" "$log"
    exit 0
  fi
  rm -f "$log"
fi

home=$(mktemp -d)
process=
finish() {
  [ -z "$process" ] || kill "$process" 2>/dev/null || true
  [ -z "$process" ] || wait "$process" 2>/dev/null || true
  rm -rf "$home"
}
trap finish EXIT
mkdir "$home/dags"
cat >"$home/dags/hello.yaml" <<'YAML'
apiVersion: twinloom/v1
kind: Dag
name: hello
params:
  who: {type: string, default: world}
steps:
  hello:
    uses: command
    with:
      argv: [sh, -c, 'printf "{\"id\":\"a\",\"text\":\"hello\"}\n" > "$TWINLOOM_OUTPUT_DIR/greetings.jsonl"']
      keys: {greetings: [id]}
    out: {greetings: greetings}
YAML
"$twinloom" --home "$home/state" --json up --port 0 --dags "$home/dags" --requests-per-second 100000 >"$home/out" 2>"$home/log" &
process=$!
for _ in $(seq 100); do
  grep -q '"ready":true' "$home/out" 2>/dev/null && break
  sleep 0.1
done
url=$(sed -n 's/.*"url":"\([^"]*\)".*/\1/p' "$home/out")
[ -n "$url" ] || { say "the server did not start:"; cat "$home/log" >&2; exit 1; }
say "$url"

# Real names, so that requests get past "not found".
run=$("$twinloom" --server "$url" run hello --json | tail -n 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])') ||
  { say "the run of hello failed"; exit 1; }
cat >"$home/schemathesis.toml" <<TOML
[parameters]
"path.dag" = "hello"
"path.run" = "$run"
"path.task" = "hello"
"path.dataset" = "greetings"
"path.version" = "1"
TOML

# Streams have no end; a user would turn the login on for everybody after it.
"$venv/bin/schemathesis" --config-file "$home/schemathesis.toml" run "$url/api/v1/openapi.json" \
  --checks not_a_server_error,response_schema_conformance,content_type_conformance \
  --max-examples "${EXAMPLES:-15}" --max-time "${MAX_SECONDS:-60}" --seed 1 --request-timeout 20 --no-color \
  --phases examples,coverage,fuzzing --continue-on-failure \
  --exclude-path /api/v1/stream --exclude-path '/api/v1/runs/{run}/tasks/{task}/logs' \
  --exclude-operation-id create_user
say "no server error"
