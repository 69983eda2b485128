"""Checkpoints of random weights (bf16) in the shapes of published models: speed does not depend on what the values are.

    python3 checkpoint.py OUT_DIR NAME...     writes OUT_DIR/NAME (config.json, safetensors, a tokenizer of one token a byte)
    python3 checkpoint.py --count NAME...     prints how many weights they have

Only Python's own library is needed, and no more memory than a block: llama-8b takes 16 GB of disk and none of it at once.
"""
import array
import json
import math
import random
import shutil
import struct
import sys
from pathlib import Path

SHAPES = {
    # hidden, inner, layers, heads, key and value heads, vocabulary, positions, tied
    "tiny": (64, 160, 2, 4, 2, 512, 1024, True),
    "smol-135m": (576, 1536, 30, 9, 3, 49152, 8192, True),
    "llama-1b": (2048, 8192, 16, 32, 8, 128256, 8192, True),
    "llama-8b": (4096, 14336, 32, 32, 8, 128256, 8192, False),
}
# Weights of all matrices are cut from one block; its length shares no factor with theirs, so that no two rows are equal.
BLOCK = 1_000_003
SHARD = 4 << 30
BYTES = Path(__file__).resolve().parents[2] / "operators/torch/tests/golden/bytes"


def bf16(values):
    """The upper halves of fp32, rounded to the nearest."""
    words = array.array("I", struct.pack(f"{len(values)}f", *values))
    return array.array("H", ((word + 0x7FFF + (word >> 16 & 1)) >> 16 for word in words))


def config(shape):
    hidden, inner, layers, heads, kv_heads, vocabulary, positions, tied = shape
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden, "intermediate_size": inner,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
        "head_dim": hidden // heads, "vocab_size": vocabulary, "max_position_embeddings": positions, "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0, "hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
        "tie_word_embeddings": tied, "torch_dtype": "bfloat16", "bos_token_id": 1, "eos_token_id": 2,
    }


def tensors(shape):
    """Name and shape of every weight."""
    hidden, inner, layers, heads, kv_heads, vocabulary, _, tied = shape
    narrow = hidden // heads * kv_heads
    yield "model.embed_tokens.weight", (vocabulary, hidden)
    for layer in range(layers):
        of = f"model.layers.{layer}."
        yield of + "input_layernorm.weight", (hidden,)
        for part, outputs in ("q", hidden), ("k", narrow), ("v", narrow), ("o", hidden):
            yield f"{of}self_attn.{part}_proj.weight", (outputs, hidden)
        yield of + "post_attention_layernorm.weight", (hidden,)
        yield of + "mlp.gate_proj.weight", (inner, hidden)
        yield of + "mlp.up_proj.weight", (inner, hidden)
        yield of + "mlp.down_proj.weight", (hidden, inner)
    yield "model.norm.weight", (hidden,)
    if not tied:
        yield "lm_head.weight", (vocabulary, hidden)


def size(shape):
    return 2 * math.prod(shape)


def shards(weights):
    """Lists of weights of up to SHARD bytes."""
    found, taken = [[]], 0
    for name, shape in weights:
        if found[-1] and taken + size(shape) > SHARD:
            found.append([])
            taken = 0
        found[-1].append((name, shape))
        taken += size(shape)
    return found


def write(path, weights, block, start):
    """One file of safetensors; gives where in the block the next one goes on."""
    header, end = {}, 0
    for name, shape in weights:
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size(shape)]}
        end += size(shape)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    ones = bf16([1.0]).tobytes()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, shape in weights:
            left = size(shape)
            if len(shape) == 1:
                file.write(ones * shape[0])
                continue
            while left:
                piece = block[start : start + left]
                file.write(piece)
                left -= len(piece)
                start = (start + len(piece)) % len(block)
    return start


def make(out, name):
    shape = SHAPES[name]
    # Written last: a folder that has it is complete, and one without it was interrupted and is made again.
    done = out / "config.json"
    if done.exists():
        print(f"{out} is there already", file=sys.stderr)
        return
    out.mkdir(parents=True, exist_ok=True)
    random.seed(0)
    block = memoryview(bf16([random.gauss(0.0, 0.02) for _ in range(BLOCK)]).tobytes())
    files = shards(tensors(shape))
    single, start, index = len(files) == 1, 0, {}
    for number, weights in enumerate(files, 1):
        file = "model.safetensors" if single else f"model-{number:05}-of-{len(files):05}.safetensors"
        start = write(out / file, weights, block, start)
        index.update((weight, file) for weight, _ in weights)
    if not single:
        total = sum(size(shape) for _, shape in tensors(shape))
        (out / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": index}))
    for part in "tokenizer.json", "tokenizer_config.json":
        shutil.copy(BYTES / part, out / part)
    done.write_text(json.dumps(config(shape), indent=1))


def main(arguments):
    if len(arguments) < 2 or set(arguments[1:]) - set(SHAPES):
        raise SystemExit(f"usage: checkpoint.py OUT_DIR|--count NAME...; names: {', '.join(SHAPES)}")
    for name in arguments[1:]:
        if arguments[0] == "--count":
            print(name, sum(math.prod(shape) for _, shape in tensors(SHAPES[name])))
        else:
            make(Path(arguments[0]) / name, name)


if __name__ == "__main__":
    main(sys.argv[1:])
