"""sentence-transformers' vectors of 200 chunks of this repository's own text, as a reference for `embed`.

    PEERS_PYTHON infra/golden/minilm.py [OUT_DIR]        needs .cache/minilm (infra/setup/embedder.sh)

With OUT_DIR the texts are those of the committed file, not of the repository as it is now: the two can be compared.
"""
import json
import sys
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


def texts_now() -> list[str]:
    texts = chunks()
    texts[7], texts[11] = "", "Größe, café, 数据 and \U0001d41b\U0001d428\U0001d425\U0001d41d \U0001f600"
    return texts


def main(out: Path) -> None:
    texts = texts_now() if out == OUT else json.loads((OUT / "minilm.json").read_text())
    model = SentenceTransformer(str(ROOT / ".cache/minilm"), device="cpu")
    vectors = model.encode(texts, batch_size=32, normalize_embeddings=True)
    # Half precision costs a cosine of less than 1e-6.
    save_file({"vectors": torch.from_numpy(vectors).half()}, out / "minilm.safetensors")
    (out / "minilm.json").write_text(json.dumps(texts, ensure_ascii=False, indent=0) + "\n")
    for name in ("minilm.safetensors", "minilm.json"):
        print(name, (out / name).stat().st_size, len(texts))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else OUT)
