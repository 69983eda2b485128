"""Reranking throughput of sentence-transformers' CrossEncoder on real chunks: pairs/s.

    python rerank.py make MINILM_DIR DIR               a cross-encoder of MiniLM's shape, with random weights
    python rerank.py run DIR ARTICLES [--dtype float32] [--device cpu] [--limit 300]

Chunks: the articles cut every 900 characters, each with the same question.
"""
import argparse
import json
import resource
import time
from pathlib import Path

import torch
from sentence_transformers import CrossEncoder
from transformers import AutoConfig, AutoTokenizer, BertForSequenceClassification

QUESTION = "How do I keep a model in production up to date with new data?"


def make(minilm: str, folder: str) -> None:
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(minilm)
    config.num_labels = 1
    BertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(minilm, model_max_length=512).save_pretrained(folder)


def run(folder: str, articles: str, dtype: str, device: str, limit: int) -> None:
    texts = [json.loads(line)["text"] for line in Path(articles).read_text().splitlines()]
    chunks = [text[at:at + 900] for text in texts for at in range(0, len(text), 900)][:limit]
    model = CrossEncoder(folder, device=device, max_length=512, model_kwargs={"torch_dtype": getattr(torch, dtype)})
    pairs = [(QUESTION, chunk) for chunk in chunks]
    model.predict(pairs[:16], batch_size=32)
    best = float("inf")
    for _ in range(2):
        began = time.perf_counter()
        model.predict(pairs, batch_size=32)
        best = min(best, time.perf_counter() - began)
    print(json.dumps({"bench": "rerank", "system": "sentence-transformers", "value": round(len(pairs) / best, 3),
                      "unit": "pairs/s", "dtype": dtype, "device": device, "pairs": len(pairs),
                      "peak_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)}), flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("what", choices=["make", "run"])
    options.add_argument("first")
    options.add_argument("second")
    options.add_argument("--dtype", default="float32")
    options.add_argument("--device", default="cpu")
    options.add_argument("--limit", type=int, default=300)
    chosen = options.parse_args()
    if chosen.what == "make":
        make(chosen.first, chosen.second)
    else:
        run(chosen.first, chosen.second, chosen.dtype, chosen.device, chosen.limit)
