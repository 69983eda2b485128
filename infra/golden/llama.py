"""A tiny random Llama with transformers' and PEFT's numbers for it: logits, greedy tokens, loss, LoRA gradients.

    PEERS_PYTHON infra/golden/llama.py [OUT_DIR]
"""
import shutil
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

COMMITTED = Path(__file__).resolve().parents[2] / "operators/torch/tests/golden/tiny-llama"


def spread(model: torch.nn.Module, size: float) -> None:
    """Away from the start values, so that norms and zero factors do not hide a mistake."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * size)


def main(out: Path) -> None:
    torch.manual_seed(7)
    shutil.rmtree(out, ignore_errors=True)
    config = LlamaConfig(
        hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=256, max_position_embeddings=128, rope_theta=20000.0, rms_norm_eps=1e-5, tie_word_embeddings=True,
        bos_token_id=1, eos_token_id=2)
    config.attn_implementation = "eager"
    model = LlamaForCausalLM(config).eval()
    spread(model, 0.15)
    model.save_pretrained(out)
    (out / "generation_config.json").unlink(missing_ok=True)

    golden = {"ids": torch.randint(3, 256, (2, 24))}
    ids = golden["ids"]
    with torch.no_grad():
        golden["logits"] = model(ids).logits[:, -4:].contiguous()
        golden["greedy"] = model.generate(
            ids[:1, :8], max_new_tokens=64, min_new_tokens=64, do_sample=False, attention_mask=torch.ones(1, 8))[0, 8:]
        # A left-padded batch: the first row has 16 tokens after 8 of padding.
        mask = torch.ones_like(ids)
        mask[0, :8] = 0
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        golden["padded_mask"] = mask
        golden["padded_logits"] = model(ids, attention_mask=mask, position_ids=positions).logits[:, -1].contiguous()
    labels = ids.clone()
    labels[:, :10] = -100
    golden["loss"] = model(ids, labels=labels).loss.detach().reshape(1)

    lora = LoraConfig(r=2, lora_alpha=6, target_modules=["q_proj", "v_proj", "down_proj"], task_type="CAUSAL_LM")
    peft = get_peft_model(model, lora)
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn_like(parameter) * 0.2)
    peft.save_pretrained(out / "adapter")
    (out / "adapter/README.md").unlink(missing_ok=True)
    found = peft(ids, labels=labels)
    found.loss.backward()
    golden["lora_logits"] = found.logits[:, -2:].detach().contiguous()
    golden["lora_loss"] = found.loss.detach().reshape(1)
    for name, parameter in peft.named_parameters():
        if parameter.grad is not None:
            golden["grad." + name.replace(".default", "")] = parameter.grad.contiguous()
    # Integers fit into fp32 exactly; the reader knows floats only.
    save_file({name: value.float().contiguous() for name, value in golden.items()}, out / "golden.safetensors")
    for path in sorted(out.rglob("*")):
        if path.is_file():
            print(path.relative_to(out), path.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else COMMITTED)
