#!/usr/bin/env bash
# A throw-away PostgreSQL for the tests, on 127.0.0.1 and a free port, with fsync on, and with TLS where there is openssl.
#   postgres.sh start   prints TWINLOOM_TEST_POSTGRES_URL=…   (safe to repeat: a running one is used again)
#   postgres.sh stop    stops it and deletes its folder
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
state="$servers/postgres"

say() { echo "postgres.sh: $*" >&2; }

find_tools() {
    bin="$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)"
    if [ -z "$bin" ] && command -v initdb >/dev/null; then
        bin="$(dirname "$(readlink -f "$(command -v initdb)")")"
    fi
    [ -n "$bin" ] && [ -x "$bin/initdb" ] && [ -x "$bin/pg_ctl" ]
}

install_tools() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "PostgreSQL is missing. Install it (Debian: sudo apt-get install postgresql) and run this again."
        exit 1
    fi
    say "installing Debian's postgresql"
    export DEBIAN_FRONTEND=noninteractive
    # Without a cluster of its own: the tests make one.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    { apt-get update && apt-get install -y --no-install-recommends postgresql; } >&2
}

# PostgreSQL refuses to run as root.
as_owner() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

running() { [ -f "$state/port" ] && [ -d "$state/data" ] && as_owner "$bin/pg_ctl" -D "$state/data" status >/dev/null 2>&1; }

start() {
    find_tools || { install_tools; find_tools || { say "initdb is still missing"; exit 1; }; }
    if ! running; then
        rm -rf "$state"
        mkdir -p "$state"
        chmod 711 "$(dirname "$state")"
        [ "$(id -u)" != 0 ] || chown postgres "$state"
        port="$(free_port)"
        as_owner "$bin/initdb" -D "$state/data" -U twinloom --auth=trust --encoding=UTF8 --locale=C.UTF-8 >"$state.log" 2>&1 ||
            { cat "$state.log" >&2; exit 1; }
        tls=off
        # A certificate that nobody has signed, of a key of its own.
        if command -v openssl >/dev/null && as_owner openssl req -new -x509 -days 30 -nodes -subj /CN=localhost \
            -newkey rsa:2048 -keyout "$state/data/server.key" -out "$state/data/server.crt" >>"$state.log" 2>&1; then
            as_owner chmod 600 "$state/data/server.key"
            tls=on
        fi
        as_owner "$bin/pg_ctl" -D "$state/data" -l "$state/log" -w -t 60 \
            -o "-p $port -c ssl=$tls -c listen_addresses=127.0.0.1 -c unix_socket_directories=$state -c fsync=on -c max_connections=200" \
            start >"$state.log" 2>&1 || { cat "$state.log" "$state/log" >&2; exit 1; }
        echo "$port" >"$state/port"
    fi
    echo "TWINLOOM_TEST_POSTGRES_URL=postgres://twinloom@127.0.0.1:$(cat "$state/port")/postgres"
}

stop() {
    if find_tools && running; then
        as_owner "$bin/pg_ctl" -D "$state/data" -m fast -w stop >&2
    fi
    rm -rf "$state" "$state.log"
}

case "${1:-}" in
    start) start ;;
    stop) stop ;;
    *) say "usage: postgres.sh start|stop"; exit 2 ;;
esac
