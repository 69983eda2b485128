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
names=(llama families chat encoders training)
if [ -f "$here/../../.cache/minilm/model.safetensors" ]; then
  names+=(minilm)
else
  say "SKIP minilm.py: the embedder is not there (infra/setup/embedder.sh)"
fi
for name in "${names[@]}"; do
  say "$name.py"
  out=$new
  case $name in
    llama) out=$new/tiny-llama ;;
    families | encoders | training) out=$new/$name ;;
  esac
  "$PEERS_PYTHON" -W ignore "$here/$name.py" "$out" >/dev/null 2>"$new/log" || { cat "$new/log" >&2; exit 1; }
done
rm -f "$new/log"
golden=$here/../../operators/torch/tests/golden
"$PEERS_PYTHON" "$here/compare.py" "$golden" "$new"
[ -f "$new/minilm.json" ] || cp "$golden"/minilm.* "$new/"
cd "$here/../.."
"$here/../setup/libtorch.sh"
TWINLOOM_GOLDEN=$new TWINLOOM_ADAPTED=$new/adapted cargo test --locked -p twinloom-torch --lib -- --nocapture \
  nn::tests rerank::tests::scores embed::tests::poolings embed::tests::vectors tokenizer::chat::tests::conversations train::tests
say "adapter.py"
"$PEERS_PYTHON" -W ignore "$here/adapter.py" "$new/adapted/base" "$new/adapted/adapter" --context 96 \
  --rows "$new/adapted/rows.jsonl" --expect-loss "$(cat "$new/adapted/loss")"
