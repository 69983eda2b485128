#!/usr/bin/env bash
# A throw-away RabbitMQ for the tests, on 127.0.0.1 and free ports.
#   rabbitmq.sh start   prints TWINLOOM_TEST_AMQP_URL=…   (safe to repeat: a running one is used again)
#   rabbitmq.sh stop    stops it and deletes its folder
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
state="$servers/rabbitmq"

say() { echo "rabbitmq.sh: $*" >&2; }

# Debian's wrapper only lets root and its own user in, so the server's own script is used.
find_tools() {
    bin="$(ls -d /usr/lib/rabbitmq/bin 2>/dev/null || ls -d /usr/lib/rabbitmq/lib/*/sbin 2>/dev/null | tail -n 1 || true)"
    [ -n "$bin" ] && [ -x "$bin/rabbitmq-server" ] && command -v erl >/dev/null
}

install_tools() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "RabbitMQ is missing. Install it (Debian: sudo apt-get install rabbitmq-server) and run this again."
        exit 1
    fi
    say "installing Debian's rabbitmq-server"
    export DEBIAN_FRONTEND=noninteractive
    # The package would start a server of its own; the tests make one.
    [ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; policy=1; }
    { apt-get update && apt-get install -y --no-install-recommends rabbitmq-server; } >&2
    [ -z "${policy:-}" ] || rm -f /usr/sbin/policy-rc.d
}

free_ports() {
    python3 -c 'import socket
s = [socket.socket() for _ in range(2)]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])'
}

environment() {
    read -r port dist <"$state/ports"
    export HOME="$state" RABBITMQ_NODENAME="twinloom-$port@localhost" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
    export RABBITMQ_NODE_PORT="$port" RABBITMQ_DIST_PORT="$dist" ERL_EPMD_ADDRESS=127.0.0.1
    export RABBITMQ_MNESIA_BASE="$state/data" RABBITMQ_LOG_BASE="$state/log" RABBITMQ_PID_FILE="$state/pid"
    export RABBITMQ_ENABLED_PLUGINS_FILE="$state/plugins" RABBITMQ_CONFIG_FILE="$state/rabbitmq" RABBITMQ_CONF_ENV_FILE=/dev/null
    # Its own port mapper would stay behind: the node is found by its port.
    export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-setcookie twinloom" RABBITMQ_CTL_ERL_ARGS="-setcookie twinloom"
}

running() { [ -f "$state/pid" ] && kill -0 "$(cat "$state/pid")" 2>/dev/null; }

answers() { python3 -c 'import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1); s.sendall(b"AMQP\0\0\x09\x01"); sys.exit(not s.recv(7))' "$port" 2>/dev/null; }

start() {
    find_tools || { install_tools; find_tools || { say "rabbitmq-server is still missing"; exit 1; }; }
    if ! running; then
        rm -rf "$state"
        mkdir -p "$state/data" "$state/log"
        free_ports >"$state/ports"
        echo "[]." >"$state/plugins"
        echo "loopback_users.guest = true" >"$state/rabbitmq.conf"
        environment
        # A session of its own, so that a Ctrl-C at the tests does not reach it before `stop` does.
        setsid "$bin/rabbitmq-server" >"$state/out" 2>&1 </dev/null &
        for _ in $(seq 1 240); do
            answers && break
            sleep 0.25
        done
        answers || { cat "$state/out" >&2; say "it did not start"; stop; exit 1; }
    fi
    environment
    echo "TWINLOOM_TEST_AMQP_URL=amqp://guest:guest@127.0.0.1:$port/%2f"
}

stop() {
    if running; then
        pid="$(cat "$state/pid")"
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 1 80); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.25
        done
        kill -9 "$pid" 2>/dev/null || true
    fi
    rm -rf "$state"
}

case "${1:-}" in
    start) start ;;
    stop) stop ;;
    *) say "usage: rabbitmq.sh start|stop"; exit 2 ;;
esac
