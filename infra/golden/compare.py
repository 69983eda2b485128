"""Compares golden files that were made again with the committed ones.

    PEERS_PYTHON infra/golden/compare.py COMMITTED_DIR NEW_DIR

Numbers may differ by 1e-5 and a bit more in proportion, names and texts not at all; only versions are passed over.
Prints the largest difference of each file that differs; exits 1 where one is larger.
"""
import json
import math
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

# Of the tools that wrote a file, not of what is in it.
PASSED_OVER = {"transformers_version", "peft_version"}
LISTED_AS_SETS = {"target_modules"}


def json_difference(a, b, place: str = "") -> float:
    if isinstance(a, dict) and isinstance(b, dict):
        keys = (a.keys() | b.keys()) - PASSED_OVER
        missing = [key for key in keys if key not in a or key not in b]
        if missing:
            raise ValueError(f"{place}: {missing} is only in one")
        return max((json_difference(a[key], b[key], f"{place}/{key}") for key in keys), default=0.0)
    if isinstance(a, list) and isinstance(b, list):
        if place.rsplit("/", 1)[-1] in LISTED_AS_SETS:
            a, b = sorted(a), sorted(b)
        if len(a) != len(b):
            raise ValueError(f"{place}: {len(a)} and {len(b)} entries")
        return max((json_difference(x, y, place) for x, y in zip(a, b)), default=0.0)
    if type(a) in (int, float) and type(b) in (int, float):
        return abs(a - b)
    if a != b:
        raise ValueError(f"{place}: {a!r} and {b!r}")
    return 0.0


def tensor_difference(a: Path, b: Path) -> float:
    old, new = load_file(a), load_file(b)
    if old.keys() != new.keys():
        raise ValueError(f"other tensors: {sorted(old.keys() ^ new.keys())}")
    worst = 0.0
    for name, tensor in old.items():
        if tensor.shape != new[name].shape:
            raise ValueError(f"{name}: {tuple(tensor.shape)} and {tuple(new[name].shape)}")
        # Half precision rounds what is nearly equal to neighbours: a step of the type is no difference.
        step = torch.finfo(tensor.dtype).eps if tensor.dtype == torch.float16 else 0.0
        apart = ((tensor.float() - new[name].float()).abs() - step * tensor.float().abs()).max().item()
        worst = max(worst, apart / max(1.0, tensor.float().abs().max().item()))
    return worst


def main(committed: Path, new: Path) -> int:
    failed = 0
    files = sorted(path for path in new.rglob("*") if path.is_file())
    for path in files:
        name = path.relative_to(new)
        old = committed / name
        try:
            if not old.is_file():
                raise ValueError("is not committed")
            if path.suffix == ".safetensors":
                apart = tensor_difference(old, path)
            elif path.suffix == ".json":
                apart = json_difference(json.loads(old.read_text()), json.loads(path.read_text()))
            else:
                apart = 0.0 if old.read_bytes() == path.read_bytes() else math.inf
        except ValueError as error:
            print(f"{name}: {error}")
            failed += 1
            continue
        if apart > 1e-5:
            failed += 1
        if apart:
            print(f"{name}: {apart:.1e}")
    print(f"{len(files)} files, {failed} differ from the committed ones")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
