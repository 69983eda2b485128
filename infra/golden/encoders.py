"""Tiny random embedders and cross-encoders with the vectors and scores that sentence-transformers makes with them.

    PEERS_PYTHON infra/golden/encoders.py [OUT_DIR]

Each gets a folder: weights (bf16), tokenizer, pooling, golden.json. Texts are of very different lengths.
"""
import json
import shutil
import sys
from pathlib import Path

import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast, RobertaConfig,
                          RobertaForSequenceClassification, RobertaModel)
from transformers.utils import logging

logging.disable_progress_bar()
OUT = Path(__file__).resolve().parents[2] / "operators/torch/tests/golden/encoders"
WORDS = ("the sea is calm today and nobody asks why a small boat leaves the harbour before the sun stands over it , "
         "while two gulls follow because they know what fishers throw away . Größe 数 !").split()
SIZES = dict(hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4, vocab_size=160)
PROMPTS = {"query": "Search for: ", "document": "Text: "}


def texts() -> list[str]:
    lengths = [1, 3, 60, 7, 7, 200, 12, 2, 33, 7]
    return [" ".join(WORDS[(7 * row + 3 * at) % len(WORDS)] for at in range(n)) for row, n in enumerate(lengths)] + [""]


def tokenizer(roberta: bool) -> PreTrainedTokenizerFast:
    special = ["<s>", "<pad>", "</s>", "<unk>"] if roberta else ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    start, end, pad, unknown = ("<s>", "</s>", "<pad>", "<unk>") if roberta else ("[CLS]", "[SEP]", "[PAD]", "[UNK]")
    # Whole words but for one in three, and every letter: the trainer would break ties otherwise each time.
    known = sorted({word for text in [*WORDS, *PROMPTS.values()] for word in text.replace(":", " :").split()})
    letters = sorted({letter for word in known for letter in word})
    pieces = [*special, *letters, *(f"##{letter}" for letter in letters), *(w for at, w in enumerate(known) if at % 3)]
    vocab = {piece: at for at, piece in enumerate(dict.fromkeys(pieces))}
    assert len(vocab) <= SIZES["vocab_size"], len(vocab)
    tok = Tokenizer(models.WordPiece(vocab, unk_token=unknown))
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ids = {name: tok.token_to_id(name) for name in (start, end)}
    pair = f"{start} $A {end} {end} $B {end}" if roberta else f"{start} $A {end} $B:1 {end}:1"
    tok.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", pair=pair, special_tokens=list(ids.items()))
    return PreTrainedTokenizerFast(tokenizer_object=tok, pad_token=pad, cls_token=start, sep_token=end,
                                   unk_token=unknown, model_max_length=64,
                                   model_input_names=["input_ids", "attention_mask"] + ["token_type_ids"] * (not roberta))


def spread(model: torch.nn.Module) -> torch.nn.Module:
    """Away from the start values, so that norms and biases do not hide a mistake; then to what bf16 holds."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.15)
    return model.bfloat16()


def config(kind, **more):
    positions = {"max_position_embeddings": 66, "pad_token_id": 1, "type_vocab_size": 1} if kind is RobertaConfig else {
        "max_position_embeddings": 64}
    return kind(**SIZES, **positions, **more)


def embedder(out: Path, model, roberta: bool, pooling: dict, prompts: dict) -> None:
    spread(model).save_pretrained(out)
    tokenizer(roberta).save_pretrained(out)
    kinds = ["Transformer", "Pooling", "Normalize"]
    modules = [{"idx": at, "name": str(at), "path": f"{at}_{kind}" if at else "", "type": f"sentence_transformers.models.{kind}"}
               for at, kind in enumerate(kinds)]
    for name, value in [("modules.json", modules), ("1_Pooling/config.json", {"word_embedding_dimension": 32} | pooling),
                        ("sentence_bert_config.json", {"max_seq_length": 48, "do_lower_case": False}),
                        ("config_sentence_transformers.json", {"prompts": prompts, "default_prompt_name": None})]:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(json.dumps(value, indent=1) + "\n")
    (out / "2_Normalize").mkdir(exist_ok=True)
    loaded = SentenceTransformer(str(out), device="cpu", model_kwargs={"dtype": torch.float32})
    golden = {"texts": texts()}
    for key, encode in [("text", loaded.encode), ("query", loaded.encode_query), ("document", loaded.encode_document)]:
        golden[key] = [[round(value, 7) for value in row] for row in encode(texts()[:4] if key != "text" else texts()).tolist()]
    (out / "2_Normalize").rmdir()
    (out / "golden.json").write_text(json.dumps(golden) + "\n")


def reranker(out: Path, model, roberta: bool) -> None:
    spread(model).save_pretrained(out)
    tokenizer(roberta).save_pretrained(out)
    loaded = CrossEncoder(str(out), device="cpu", model_kwargs={"dtype": torch.float32})
    query = "why does a boat leave before the sun ?"
    scores = loaded.predict([(query, text) for text in texts()]).tolist()
    (out / "golden.json").write_text(json.dumps({"texts": texts(), "query": query, "scores": scores}) + "\n")


def main(out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    torch.manual_seed(11)
    mean = {"pooling_mode_mean_tokens": True}
    embedder(out / "bert-mean", BertModel(config(BertConfig)), False, mean, {})
    embedder(out / "bert-many", BertModel(config(BertConfig)), False, {
        "pooling_mode": ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"],
        "include_prompt": False}, PROMPTS)
    embedder(out / "roberta-cls", RobertaModel(config(RobertaConfig)), True, {"pooling_mode_cls_token": True}, PROMPTS)
    reranker(out / "bert-reranker", BertForSequenceClassification(config(BertConfig, num_labels=1)), False)
    plain = config(RobertaConfig, num_labels=1)
    plain.sentence_transformers = {"activation_fn": "torch.nn.modules.linear.Identity"}
    reranker(out / "roberta-reranker", RobertaForSequenceClassification(plain), True)
    for path in sorted(out.rglob("*")):
        if path.is_file() and path.stat().st_size > 30_000:
            print(path.relative_to(out), path.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else OUT)
