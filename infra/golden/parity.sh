#!/usr/bin/env bash
# make parity: makes the golden files again with the peers in a temporary folder, compares them with the committed ones,
# and runs the tests against the new ones. PEERS_PYTHON is a Python with torch, transformers, peft, sentence-transformers.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../setup/common.sh"
[ -n "${PEERS_PYTHON:-}" ] || die "PEERS_PYTHON is not set" "set it to a Python with torch, transformers, peft and sentence-transformers"
"$PEERS_PYTHON" -c 'import torch, transformers, peft, sentence_transformers' 2>/dev/null ||
  die "$PEERS_PYTHON lacks a peer" "$PEERS_PYTHON -m pip install torch transformers peft sentence-transformers"
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
for name in llama families chat encoders; do
  say "$name.py"
  out=$new
  [ "$name" != llama ] || out=$new/tiny-llama
  [ "$name" != families ] && [ "$name" != encoders ] || out=$new/$name
  "$PEERS_PYTHON" -W ignore "$here/$name.py" "$out" >/dev/null 2>"$new/log" || { cat "$new/log" >&2; exit 1; }
done
rm -f "$new/log"
"$PEERS_PYTHON" "$here/compare.py" "$here/../../operators/torch/tests/golden" "$new"
cd "$here/../.."
"$here/../setup/libtorch.sh"
TWINLOOM_GOLDEN=$new cargo test --locked -p twinloom-torch --lib -- --nocapture \
  nn::tests rerank::tests::scores embed::tests::poolings tokenizer::chat::tests::conversations
