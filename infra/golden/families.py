"""Tiny random decoders of every family, with transformers' and PEFT's numbers for them.

    PEERS_PYTHON infra/golden/families.py [OUT_DIR] [NAME ...]

Each gets a folder: config.json, model.safetensors (bf16), adapter/ (as PEFT writes it), golden.safetensors (logits,
padded logits, loss, greedy tokens with and without cache, LoRA's logits, loss and gradients). Texts are longer than the
windows and than the positions that RoPE scalings start from. Attention is `eager`: the others leave out soft caps.
"""
import shutil
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import (AutoModelForCausalLM, Gemma2Config, GPT2Config, LlamaConfig, MistralConfig, Qwen2Config,
                          Qwen3Config)
from transformers.utils import logging

logging.disable_progress_bar()

OUT = Path(__file__).resolve().parents[2] / "operators/torch/tests/golden/families"
SIZES = dict(hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             vocab_size=96, max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0)
TARGETS = ["q_proj", "v_proj", "o_proj", "down_proj"]
WINDOW = 16


def llama(rope=None, **more):
    more = {"tie_word_embeddings": True} | more
    return LlamaConfig(**(SIZES | more), **({"rope_parameters": rope} if rope else {}))


CASES = {
    "llama-biases": lambda: llama(attention_bias=True, mlp_bias=True, tie_word_embeddings=False, rms_norm_eps=1e-5),
    "llama-linear": lambda: llama({"rope_type": "linear", "rope_theta": 10000.0, "factor": 3.0}),
    "llama-dynamic": lambda: llama({"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0},
                                   max_position_embeddings=32),
    "llama3": lambda: llama({
        "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64}, head_dim=16),
    "llama-yarn": lambda: llama({
        "rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0, "original_max_position_embeddings": 32}, head_dim=16),
    "mistral": lambda: MistralConfig(**SIZES, head_dim=12, sliding_window=WINDOW),
    "qwen2": lambda: Qwen2Config(**(SIZES | {"num_hidden_layers": 3}), use_sliding_window=True, sliding_window=WINDOW,
                                 max_window_layers=1, tie_word_embeddings=True),
    "qwen3": lambda: Qwen3Config(**SIZES, head_dim=12),
    "gemma2": lambda: Gemma2Config(**SIZES, head_dim=12, query_pre_attn_scalar=20, sliding_window=WINDOW,
                                   attn_logit_softcapping=4.0, final_logit_softcapping=6.0),
    "gpt2": lambda: GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=96, n_positions=128,
                               scale_attn_by_inverse_layer_idx=True, bos_token_id=1, eos_token_id=2),
}


def spread(model: torch.nn.Module, size: float) -> None:
    """Away from the start values, so that norms, biases and zero factors do not hide a mistake; then to what bf16 holds."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * size)
            parameter.copy_(parameter.bfloat16().float())


class Tie(Exception):
    """Two tokens are nearly as good as each other: greedy tokens would hang on the last bit."""


def case(name: str, out: Path, seed: int) -> None:
    torch.manual_seed(seed)
    shutil.rmtree(out, ignore_errors=True)
    model = AutoModelForCausalLM.from_config(CASES[name]()).float().eval()
    spread(model, 0.15)
    model.bfloat16().save_pretrained(out)
    (out / "generation_config.json").unlink(missing_ok=True)

    def fresh():
        # The dynamic scaling remembers the longest text: every number is of a model that has read nothing.
        return AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32, attn_implementation="eager").eval()

    ids = torch.randint(3, 96, (2, 48))
    golden = {"ids": ids}
    with torch.no_grad():
        golden["logits"] = fresh()(ids).logits[:, 12::12].contiguous()
        for key, cached in (("greedy", True), ("greedy_uncached", False)):
            found = fresh().generate(ids[:1, :8], max_new_tokens=64, min_new_tokens=64, do_sample=False,
                                     attention_mask=torch.ones(1, 8, dtype=torch.long), use_cache=cached,
                                     output_logits=True, return_dict_in_generate=True)
            golden[key] = found.sequences[0, 8:]
            best = torch.cat(found.logits).topk(2).values
            if (best[:, 0] - best[:, 1]).min() < 1e-3:
                raise Tie
        # A left-padded batch: the first row has 36 tokens after 12 of padding.
        mask = torch.ones_like(ids)
        mask[0, :12] = 0
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        golden["padded_mask"] = mask
        golden["padded_logits"] = fresh()(ids, attention_mask=mask, position_ids=positions).logits[:, -1].contiguous()
    labels = ids.clone()
    labels[:, :10] = -100
    golden["loss"] = fresh()(ids, labels=labels).loss.detach().reshape(1)

    targets = ["c_attn", "c_proj"] if name == "gpt2" else TARGETS
    lora = LoraConfig(r=2, lora_alpha=6, target_modules=targets, task_type="CAUSAL_LM", fan_in_fan_out=name == "gpt2")
    peft = get_peft_model(fresh(), lora)
    with torch.no_grad():
        for key, parameter in peft.named_parameters():
            if "lora_" in key:
                parameter.copy_(torch.randn_like(parameter) * 0.2)
    peft.save_pretrained(out / "adapter")
    (out / "adapter/README.md").unlink(missing_ok=True)
    found = peft(ids, labels=labels)
    found.loss.backward()  # of the adapters' weights only
    golden["lora_logits"] = found.logits[:, -2:].detach().contiguous()
    golden["lora_loss"] = found.loss.detach().reshape(1)
    for key, parameter in peft.named_parameters():
        if parameter.grad is not None:
            golden["grad." + key.replace(".default", "")] = parameter.grad.contiguous()
    # Integers fit into fp32 exactly; the reader knows floats only.
    save_file({key: value.float().contiguous() for key, value in golden.items()}, out / "golden.safetensors")
    # The folder's name is of this machine only.
    config = out / "adapter/adapter_config.json"
    config.write_text(config.read_text().replace(str(out), f"tiny-{name}"))
    print(name, sum(path.stat().st_size for path in out.rglob("*") if path.is_file()))


def main(arguments: list[str]) -> None:
    out = Path(arguments[0]) if arguments else OUT
    for name in arguments[1:] or CASES:
        # Every case has a seed of its own, so that one can be added without changing the others.
        for seed in range(sum(name.encode()), 1 << 31):
            try:
                case(name, out / name, seed)
                break
            except Tie:
                continue


if __name__ == "__main__":
    main(sys.argv[1:])
