"""sentence-transformers' vectors of 200 chunks of this repository's own text, as a reference for `embed`.

    python infra/golden/minilm.py        needs .cache/minilm (infra/setup/embedder.sh)
"""
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "operators/torch/tests/golden"
PARTS = ["README.md", "engine/ARCHITECTURE.md", "infra/golden/README.md"]


def chunks(limit: int = 200) -> list[str]:
    """Pieces of 12 to 1,400 characters of our own files: sentences, code, and some that are longer than 256 tokens."""
    paths = [ROOT / part for part in PARTS] + sorted((ROOT / "engine").rglob("*.rs")) + sorted((ROOT / "operators").rglob("README.md"))
    text = "\n".join(path.read_text() for path in paths if path.exists())
    out, start, index = [], 0, 0
    sizes = [60, 12, 240, 700, 130, 1400, 30, 420]
    while len(out) < limit and start < len(text):
        size = sizes[index % len(sizes)]
        piece = text[start:start + size]
        if piece.strip():
            out.append(piece)
        start, index = start + size, index + 1
    return out


def main() -> None:
    texts = chunks()
    texts[7], texts[11] = "", "Größe, café, 数据 and \U0001d41b\U0001d428\U0001d425\U0001d41d \U0001f600"
    model = SentenceTransformer(str(ROOT / ".cache/minilm"), device="cpu")
    vectors = model.encode(texts, batch_size=32, normalize_embeddings=True)
    # Half precision costs a cosine of less than 1e-6.
    save_file({"vectors": torch.from_numpy(vectors).half()}, OUT / "minilm.safetensors")
    (OUT / "minilm.json").write_text(json.dumps(texts, ensure_ascii=False, indent=0) + "\n")
    for name in ("minilm.safetensors", "minilm.json"):
        print(name, (OUT / name).stat().st_size, len(texts))


if __name__ == "__main__":
    main()
