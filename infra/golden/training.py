"""What PEFT computes where Twinloom trains: 100 steps of LoRA, and the logits of rsLoRA and DoRA adapters.

    PEERS_PYTHON infra/golden/training.py [OUT_DIR]      # else operators/torch/tests/golden/training

The base and the adapter that training starts from are those of tiny-llama beside it. Step `n` trains on
four sequences of 24 tokens; token `i` of sequence `s` is `(37 * n + 11 * s + 7 * i + i * i * (s + 1)) % 256`, so that
no data has to be kept.
"""
import json
import shutil
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

GOLDEN = Path(__file__).resolve().parents[2] / "operators" / "torch" / "tests" / "golden"
OUT = Path(sys.argv[1]) if sys.argv[1:] else GOLDEN / "training"
BASE = OUT.parent / "tiny-llama"


def base():
    return AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)


def tokens(step):
    return torch.tensor([[(37 * step + 11 * s + 7 * i + i * i * (s + 1)) % 256 for i in range(24)] for s in range(4)])


def losses():
    model = PeftModel.from_pretrained(base(), BASE / "adapter", is_trainable=True)
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    found = []
    for step in range(100):
        ids = tokens(step)
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        found.append(round(loss.item(), 6))
    return found


def adapted(name, **options):
    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM", **options)
    model = get_peft_model(base(), config)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if "lora_B" in key:
                weight.normal_(0, 0.1)
            if "magnitude" in key:
                weight.mul_(1 + 0.2 * torch.rand_like(weight))
        logits = model(tokens(0)[:1]).logits[0, -2:, :32]
    model.peft_config["default"].base_model_name_or_path = "tiny-llama"
    model.save_pretrained(OUT / name)
    (OUT / name / "README.md").unlink(missing_ok=True)
    return [[round(x, 6) for x in row] for row in logits.tolist()]


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    figures = {"losses": losses(), "rslora": adapted("rslora", use_rslora=True), "dora": adapted("dora", use_dora=True)}
    (OUT / "figures.json").write_text(json.dumps(figures) + "\n")


main()
