#!/usr/bin/env bash
# make demo: build, run dags/twin.yaml, approve, promote, ask.
#
#   make demo                                   this repository's own writing
#   make demo SOURCES='[{"kind": "folder", "path": "/home/ada/writing"}]' AUTHOR=Ada
#   make demo YES=1                             approves as `demo` without asking
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
. infra/setup/common.sh
began=$SECONDS
infra/setup/all.sh
say "building (the first time takes some minutes)"
cargo build --release --locked -p twinloom -p twinloom-torch
twinloom=$root/target/release/twinloom
built=$SECONDS

args=(run dags/twin.yaml)
[ -z "${SOURCES:-}" ] || args+=(--param "sources=$SOURCES")
[ -z "${AUTHOR:-}" ] || args+=(--param "author=$AUTHOR")
if [ -n "${YES:-}" ] || [ ! -t 0 ]; then
  args+=(--approve-as demo)
fi
say "twinloom ${args[*]}"
"$twinloom" "${args[@]}"
ran=$SECONDS

echo
say "what it made"
"$twinloom" dataset list
"$twinloom" model list
echo
say "how the tuned model compares with its base, on text that neither has seen"
"$twinloom" dataset head evaluation -n 40 --columns metric,subject,value,low,high,threshold,passed
echo
question=${QUESTION:-How does the feature store make publication exactly once?}
say "twinloom ask '$question'"
"$twinloom" ask "$question"
say "set-up and build $((built - began)) s, DAG $((ran - built)) s; run make demo again and all of it is cached"
