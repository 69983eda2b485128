#!/usr/bin/env bash
# Everything that wants a GPU, in order: is it there, does it compute what the CPU computes, how fast is it, beside the
# peers. Rows as JSON lines on stdout, words on stderr. Ends with 1 where a command failed or the device and the CPU differ.
#
#   infra/setup/libtorch.sh --gpu && make build && infra/bench/gpu.sh
#
#   PEERS_PYTHON=…  a Python with transformers, peft and sentence-transformers: their figures in the same run (PEERS: scripts)
#   CHECKPOINTS=…   folder of smol-135m and llama-8b, made there where they are missing (random weights, 17 GB)
#   EMBEDDER=… RERANKER=… ARTICLES=…   for the figures of encoders
#   DEVICE=cpu      a dry run: the same commands on the CPU with a tiny model, in seconds
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
TORCH=${TORCH:-target/release/twinloom-torch}
DEVICE=${DEVICE:-cuda}
GOLDEN=operators/torch/tests/golden
EMBEDDER=${EMBEDDER:-.cache/minilm}
RERANKER=${RERANKER:-}
ARTICLES=${ARTICLES:-../shared/data/articles.jsonl}
PEERS=${PEERS:-../shared/bench/peers}
PYTHON=${PEERS_PYTHON:-}

say() { echo "[gpu] $*" >&2; }
failures=0
# One figure that cannot be had does not take the others with it; the script still fails in the end.
figure() { "$@" || { say "FAILED: $*"; failures=$((failures + 1)); }; }
bench() { figure "$TORCH" bench "$@"; }
peer() { if [ -n "$PYTHON" ]; then figure env -C "$PEERS" "$PYTHON" "$@"; fi; }

[ -x "$TORCH" ] || { say "there is no $TORCH: run make build, or set TORCH"; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [ "$DEVICE" = cpu ]; then
  CHECKPOINTS=$scratch models=tiny
  # Tokens of prompts and answers, steps, chunks, texts at a time.
  prompt=16 new=8 steps=1 limit=4 batches="1 3"
else
  CHECKPOINTS=${CHECKPOINTS:-.cache/checkpoints} models="smol-135m llama-8b"
  prompt=128 new=128 steps=6 limit=600 batches="1 8 64"
fi
mkdir -p "$CHECKPOINTS"
CHECKPOINTS=$(cd "$CHECKPOINTS" && pwd)
for model in $models; do
  [ -f "$CHECKPOINTS/$model/config.json" ] || { say "making $model" && python3 infra/bench/checkpoint.py "$CHECKPOINTS" "$model"; }
done
on=(--device "$DEVICE")

say "1. the GPU's half of libtorch is loaded by dlopen, and answers"
"$TORCH" info --json | tee "$scratch/info"
if [ "$DEVICE" != cpu ] && ! grep -q '"cuda":true' "$scratch/info"; then
  say "CUDA does not work: see cuda_problem above"
  exit 1
fi

say "2. what it computes, against the CPU: products, tokens, LoRA and QLoRA steps with their gradients, encoders"
agree=("$TORCH" bench agree "${on[@]}" --reranker "$GOLDEN/encoders/bert-reranker" --checkpoint "$CHECKPOINTS/${models%% *}")
for family in "$GOLDEN"/families/*/; do agree+=(--checkpoint "${family%/}"); done
for encoder in "$GOLDEN"/encoders/bert-mean "$GOLDEN"/encoders/roberta-cls; do agree+=(--embedder "$encoder"); done
"${agree[@]}" || { say "DIFFERENT: nothing below would mean anything"; exit 1; }

say "3. training: LoRA, with checkpointing, QLoRA"
for model in $models; do
  case $model in
    tiny) shape=(--seq 32 --batch 2) ;;
    smol-135m) shape=(--seq 256 --batch 2) ;;
    *) shape=(--seq 2048 --batch 1) ;;
  esac
  shape+=("${on[@]}" --dtype bfloat16 --steps $steps)
  for options in "" "--checkpointing" "--qlora" "--qlora --checkpointing"; do
    # shellcheck disable=SC2086
    bench train "$CHECKPOINTS/$model" "${shape[@]}" $options
  done
  peer lora_train.py "$CHECKPOINTS/$model" "${shape[@]}"
  peer lora_train.py "$CHECKPOINTS/$model" "${shape[@]}" --checkpointing
done

say "4. decoding: the share of the memory's bandwidth, and many texts at a time"
for model in $models; do
  for batch in $batches; do
    bench generate --checkpoint "$CHECKPOINTS/$model" "${on[@]}" --libtorch --weights bf16 --batch "$batch" \
      --prompt $prompt --new $new
    peer generate.py "$CHECKPOINTS/$model" "${on[@]}" --batch "$batch" --prompt $prompt --new $new
  done
done

say "5. embedding and reranking"
if [ -f "$ARTICLES" ]; then
  ARTICLES=$(realpath "$ARTICLES")
  if [ -f "$EMBEDDER/model.safetensors" ]; then
    for weights in f32 bf16; do
      bench embed "${on[@]}" --model "$EMBEDDER" --weights $weights --articles "$ARTICLES" --limit $limit
    done
    peer embed.py "$(realpath "$EMBEDDER")" "${on[@]}"
    peer embed.py "$(realpath "$EMBEDDER")" "${on[@]}" --dtype bfloat16
  else
    say "SKIP: no embedder in $EMBEDDER: run infra/setup/embedder.sh"
  fi
  if [ -z "$RERANKER" ] && [ -n "$PYTHON" ] && [ -f "$EMBEDDER/config.json" ]; then
    # Of the embedder's shape; without it the tiny one shows that reranking works, and no figure.
    RERANKER=$scratch/reranker
    figure "$PYTHON" infra/bench/rerank.py make "$EMBEDDER" "$RERANKER" >&2
  fi
  bench rerank "${on[@]}" --model "${RERANKER:-$GOLDEN/encoders/bert-reranker}" --articles "$ARTICLES" --limit $limit
  if [ -n "$PYTHON" ] && [ -n "$RERANKER" ]; then
    figure "$PYTHON" infra/bench/rerank.py run "$RERANKER" "$ARTICLES" "${on[@]}" --limit $limit
  fi
else
  say "SKIP: no articles at $ARTICLES"
fi

[ $failures = 0 ] || { say "$failures commands failed"; exit 1; }
say "all done"
