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
# 4: it waits for approval, 5: it was rejected or cancelled. What it made is there all the same.
ended=0
"$twinloom" "${args[@]}" || ended=$?
case $ended in 0 | 4 | 5) ;; *) exit "$ended" ;; esac
ran=$SECONDS

echo
say "what it made"
"$twinloom" dataset list
"$twinloom" model list
echo
say "how the tuned model compares with its base, on text that neither has seen"
"$twinloom" dataset head evaluation -n 40 --columns metric,subject,value,low,high,threshold,passed || say "it was not compared"
echo
# Of this repository's own writing something that it knows; of anybody else's nobody knows what they wrote about.
question="How does the feature store make publication exactly once?"
[ -z "${SOURCES:-}" ] || question="What do I write about?"
question=${QUESTION:-$question}
if [ "$ended" = 0 ] && "$twinloom" model show twin@production >/dev/null 2>&1; then
  say "twinloom ask '$question'"
  "$twinloom" ask "$question"
else
  [ "$ended" != 4 ] || say "it waits for you: $twinloom approve latest --as ${USER:-NAME}"
  say "nothing was released in this run ($twinloom show latest says why); the model as it is: $twinloom ask --model twin@latest '$question'"
fi
say "set-up and build $((built - began)) s, DAG $((ran - built)) s; run make demo again and all of it is cached"
exit "$ended"
