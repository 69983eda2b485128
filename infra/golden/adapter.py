"""Loads an adapter that Twinloom trained with PEFT itself, and compares losses.

    PEERS_PYTHON infra/golden/adapter.py BASE_DIR ADAPTER_DIR [--expect-loss NATS] [--rows ROWS.jsonl]

BASE_DIR and ADAPTER_DIR are model folders, checked out of the store. ROWS.jsonl holds objects with
`instruction` and `answer`; without it one made-up row is used. Prints JSON: the number of adapted layers, the loss on
the answers with and without the adapter, and how far merged weights are from the adapter's own forward pass. Exits 1
where PEFT leaves a weight of the adapter unused, or the merged model computes something else.
"""

import argparse
import json
import sys
import warnings

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

ROW = {"instruction": "Write a short note.", "answer": "I wrote this note in the morning, before anyone else was awake."}


def losses(model, tokenizer, rows, context):
    total, count = 0.0, 0
    for row in rows:
        asked = [{"role": "user", "content": row["instruction"]}]
        prompt = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template(
            asked + [{"role": "assistant", "content": row["answer"]}], tokenize=False
        )
        assert whole.startswith(prompt), "the template writes a finished turn otherwise"
        given = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        answer = tokenizer(whole[len(prompt) :], add_special_tokens=False)["input_ids"]
        ids = torch.tensor([(given + answer)[:context]])
        with torch.no_grad():
            logits = model(ids).logits[0, :-1].float()
        each = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")[len(given) - 1 :]
        total, count = total + each.sum().item(), count + each.numel()
    return total / max(count, 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("base")
    parser.add_argument("adapter")
    parser.add_argument("--rows")
    parser.add_argument("--expect-loss", type=float)
    parser.add_argument("--context", type=int, default=512)
    args = parser.parse_args()
    rows = [json.loads(line) for line in open(args.rows)] if args.rows else [ROW]
    tokenizer = AutoTokenizer.from_pretrained(args.adapter)
    base = AutoModelForCausalLM.from_pretrained(args.base, dtype=torch.float32)
    before = losses(base, tokenizer, rows, args.context)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model = PeftModel.from_pretrained(base, args.adapter)
    stored = load_file(f"{args.adapter}/adapter_model.safetensors")
    held = get_peft_model_state_dict(model)
    unused = sorted(set(stored) ^ set(held))
    unequal = [name for name in stored if name in held and not torch.equal(stored[name], held[name])]
    after = losses(model, tokenizer, rows, args.context)
    ids = torch.tensor([tokenizer(rows[0]["answer"])["input_ids"][: args.context]])
    with torch.no_grad():
        adapted = model(ids).logits
        merged = model.merge_and_unload()(ids).logits
    distance = (adapted - merged).abs().max().item()
    result = {
        "layers": len(stored) // 2,
        "loss_base": before,
        "loss_adapter": after,
        "merged_distance": distance,
        "unused": unused,
        "unequal": unequal,
        "warnings": [str(warning.message) for warning in seen if "adapter" in str(warning.message).lower()],
    }
    print(json.dumps(result))
    good = not unused and not unequal and not result["warnings"] and distance < 1e-3
    if args.expect_loss is not None:
        good = good and abs(after - args.expect_loss) < 1e-3
    sys.exit(0 if good else 1)


main()
