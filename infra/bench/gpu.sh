#!/usr/bin/env bash
# What to run where there is a GPU, in this order: each step is worth nothing if the one before it fails.
#
#   CHECKPOINTS=DIR infra/bench/gpu.sh [PEERS_PYTHON]
#
# CHECKPOINTS holds smol-135m, qwen-0.5b and, for the large figures, llama-8b (random weights of the shape of Llama 3 8B:
# hidden 4096, inner 14336, 32 layers, 32 heads, 8 key and value heads, vocabulary 128256), made by the peers'
# make_checkpoints.py. libtorch has to be the CUDA build with libtorch_cuda.so beside libtorch_cpu.so (LIBTORCH).
set -euo pipefail
cd "$(dirname "$0")/../.."
TORCH=${TORCH:-target/release/twinloom-torch}
CHECKPOINTS=${CHECKPOINTS:?the folder of the checkpoints}
PEERS=${PEERS:-../shared/bench/peers}
PYTHON=${1:-${PEERS_PYTHON:-}}

say() { echo "[gpu] $*" >&2; }
peer() { if [ -n "$PYTHON" ]; then (cd "$PEERS" && "$PYTHON" "$@") || say "the peer failed: $*"; fi; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

say "1. the GPU's half of libtorch is loaded by dlopen, and answers"
"$TORCH" info --json | tee /dev/stderr | grep -q '"cuda":true' || { say "CUDA does not work: see cuda_problem above"; exit 1; }

say "2. a matrix product, and tokens equal to the CPU's in fp32"
for device in cpu cuda; do
  printf '%s\n' "{\"id\":1,\"op\":\"generate\",\"model\":\"$CHECKPOINTS/smol-135m\",\"prompt\":\"Once upon a time\",\"max_new_tokens\":32,\"ignore_end\":true}" |
    "$TORCH" serve --device "$device" --weights f32 --backend libtorch | sed 's/.*"tokens":\(\[[^]]*\]\).*/\1/' > "$scratch/$device"
done
cmp "$scratch/cpu" "$scratch/cuda" && say "equal" || say "DIFFERENT: look at this before all else"

say "3. a LoRA step equal to the CPU's, then the figures of training"
if "$TORCH" bench --help | grep -q train; then
  for device in cpu cuda; do
    "$TORCH" bench train --checkpoint "$CHECKPOINTS/smol-135m" --device "$device" --dtype float32 --steps 2 ||
      say "the options of bench train differ: see its --help"
  done
  "$TORCH" bench train --checkpoint "$CHECKPOINTS/llama-8b" --device cuda --dtype bfloat16 --length 2048 || true
  peer lora_train.py "$CHECKPOINTS/llama-8b" --device cuda
fi

say "4. decoding: batch 1 (share of bandwidth), and 64 texts at a time against serial HF"
for model in smol-135m llama-8b; do
  [ -d "$CHECKPOINTS/$model" ] || continue
  for batch in 1 8 64; do
    "$TORCH" bench generate --checkpoint "$CHECKPOINTS/$model" --device cuda --weights bf16 --batch "$batch"
  done
  peer generate.py "$CHECKPOINTS/$model" --device cuda --batch 1
  peer generate.py "$CHECKPOINTS/$model" --device cuda --batch 8
done
