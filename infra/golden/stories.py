"""Greedy text of a llama2.c checkpoint by the reference maths in plain numpy: interleaved rotation, no libraries of ours.

    python infra/golden/stories.py stories260K.bin tok512.bin [STEPS]

Prints the tokens and the text; `operators/torch` keeps both in its test of the converter.
"""
import struct
import sys
from pathlib import Path

import numpy as np


def weights(path: Path):
    data = path.read_bytes()
    dim, hidden, layers, heads, kv_heads, vocab, seq = struct.unpack("7i", data[:28])
    shared, vocab = vocab > 0, abs(vocab)
    values, at = np.frombuffer(data, np.float32, offset=28), 0

    def take(*shape):
        nonlocal at
        size = int(np.prod(shape))
        at += size
        return values[at - size:at].reshape(shape)

    head = dim // heads
    w = {"emb": take(vocab, dim), "att_norm": take(layers, dim), "q": take(layers, dim, dim),
         "k": take(layers, kv_heads * head, dim), "v": take(layers, kv_heads * head, dim), "o": take(layers, dim, dim),
         "ffn_norm": take(layers, dim), "w1": take(layers, hidden, dim), "w2": take(layers, dim, hidden),
         "w3": take(layers, hidden, dim), "norm": take(dim)}
    take(seq, head // 2), take(seq, head // 2)
    w["cls"] = w["emb"] if shared else take(vocab, dim)
    return w, layers, heads, kv_heads, head


def pieces(path: Path, vocab: int) -> list[bytes]:
    data, at, out = path.read_bytes(), 4, []
    for _ in range(vocab):
        _score, length = struct.unpack_from("fi", data, at)
        out.append(data[at + 8:at + 8 + length])
        at += 8 + length
    return out


def norm(x, w):
    return x / np.sqrt((x * x).mean() + 1e-5) * w


def rotate(x, position):
    head = x.shape[-1]
    angle = position / 10000.0 ** (np.arange(0, head, 2) / head)
    a, b = x[:, 0::2], x[:, 1::2]
    out = np.empty_like(x)
    out[:, 0::2], out[:, 1::2] = a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)
    return out


def main() -> None:
    w, layers, heads, kv_heads, head = weights(Path(sys.argv[1]))
    names = pieces(Path(sys.argv[2]), len(w["emb"]))
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    keys, values, token, out = [[] for _ in range(layers)], [[] for _ in range(layers)], 1, []
    for position in range(steps):
        x = w["emb"][token].astype(np.float64)
        for l in range(layers):
            h = norm(x, w["att_norm"][l])
            q = rotate((w["q"][l] @ h).reshape(heads, head), position)
            keys[l].append(rotate((w["k"][l] @ h).reshape(kv_heads, head), position))
            values[l].append((w["v"][l] @ h).reshape(kv_heads, head))
            k, v = (np.repeat(np.stack(t), heads // kv_heads, axis=1) for t in (keys[l], values[l]))
            scores = np.einsum("hd,thd->ht", q, k) / np.sqrt(head)
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            scores /= scores.sum(-1, keepdims=True)
            x = x + w["o"][l] @ np.einsum("ht,thd->hd", scores, v).reshape(-1)
            h = norm(x, w["ffn_norm"][l])
            gate = w["w1"][l] @ h
            x = x + w["w2"][l] @ (gate / (1 + np.exp(-gate)) * (w["w3"][l] @ h))
        token = int((w["cls"] @ norm(x, w["norm"])).argmax())
        if token in (1, 2):
            break
        out.append(token)
    text = b"".join(bytes([int(n[3:5], 16)]) if n.startswith(b"<0x") else n for n in (names[t] for t in out))
    print(out)
    print(text.decode().removeprefix(" "))


if __name__ == "__main__":
    main()
