#!/usr/bin/env bash
# A throw-away S3 server (moto) for the tests, on 127.0.0.1 and a free port, its objects in memory.
#   s3.sh start   prints TWINLOOM_TEST_S3_ENDPOINT=… and TWINLOOM_TEST_S3_URL=…   (safe to repeat)
#   s3.sh stop    stops it and deletes its folder
# Uses moto_server from the PATH where it works, else installs it into .cache/venv-moto.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
state="$servers/s3"
bucket=twinloom

say() { echo "s3.sh: $*" >&2; }

find_server() {
    local candidate
    for candidate in "$root/.cache/venv-moto/bin/moto_server" "$(command -v moto_server || true)"; do
        if [ -x "$candidate" ] && "$candidate" --help >/dev/null 2>&1; then
            server="$candidate"
            return 0
        fi
    done
    return 1
}

install_server() {
    if ! command -v python3 >/dev/null; then
        say "python3 is missing. Install it (Debian: sudo apt-get install python3 python3-venv) and run this again."
        exit 1
    fi
    say "installing moto into .cache/venv-moto"
    mkdir -p "$root/.cache"
    python3 -m venv "$root/.cache/venv-moto" >&2 ||
        { say "python3 -m venv failed. Install it (Debian: sudo apt-get install python3-venv) and run this again."; exit 1; }
    "$root/.cache/venv-moto/bin/pip" install --quiet "moto[server]>=5,<6" >&2 ||
        { say "pip could not install moto: see above"; exit 1; }
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Makes the bucket; doing it again is no error. No credentials are checked by moto.
make_bucket() {
    python3 - "$1" "$bucket" <<'PY'
import sys, urllib.request
request = urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}/{sys.argv[2]}", method="PUT")
urllib.request.urlopen(request, timeout=2).read()
PY
}

running() {
    [ -f "$state/pid" ] && [ -f "$state/port" ] && kill -0 "$(cat "$state/pid")" 2>/dev/null &&
        make_bucket "$(cat "$state/port")" 2>/dev/null
}

start() {
    if ! running; then
        find_server || { install_server; find_server || { say "moto_server does not run"; exit 1; }; }
        rm -rf "$state"
        mkdir -p "$state"
        local port attempt
        port="$(free_port)"
        # A session of its own, so that it outlives this shell and gets none of its signals.
        setsid "$server" -H 127.0.0.1 -p "$port" >"$state/log" 2>&1 </dev/null &
        echo $! >"$state/pid"
        echo "$port" >"$state/port"
        for attempt in $(seq 1 100); do
            if make_bucket "$port" 2>/dev/null; then break; fi
            if [ "$attempt" = 100 ] || ! kill -0 "$(cat "$state/pid")" 2>/dev/null; then
                say "moto_server did not start:"
                cat "$state/log" >&2
                exit 1
            fi
            sleep 0.2
        done
    fi
    echo "TWINLOOM_TEST_S3_ENDPOINT=http://127.0.0.1:$(cat "$state/port")"
    echo "TWINLOOM_TEST_S3_URL=s3://$bucket"
}

stop() {
    if [ -f "$state/pid" ]; then
        # The pyenv or console script may have a child that serves: both are of the session that start made.
        pkill -s "$(cat "$state/pid")" 2>/dev/null || kill "$(cat "$state/pid")" 2>/dev/null || true
    fi
    rm -rf "$state"
}

case "${1:-}" in
    start) start ;;
    stop) stop ;;
    *) say "usage: s3.sh start|stop"; exit 2 ;;
esac
