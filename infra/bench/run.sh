#!/usr/bin/env bash
# make bench: one JSON line a figure. ONLY=name,name runs some; PEERS_PYTHON=… runs the peers in turn with ours;
# PEERS=DIR says where the peers' scripts are.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
infra/setup/all.sh
cargo build --release --locked -p twinloom -p twinloom-torch 1>&2
exec python3 infra/bench/run.py
