#!/usr/bin/env bash
# Puts libtorch together in .cache/libtorch from three PyPI wheels, without Python's dependency tree.
#
# libtorch_cpu.so of the CUDA build needs libcudart and libcupti, so their two wheels come along; the GPU's own half
# (libtorch_cuda and what it needs) is loaded at run time, where there is one. Safe to repeat.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=infra/setup/common.sh
. "$root/infra/setup/common.sh"

TORCH=2.11.0
STAMP="torch $TORCH, cuda 13.0, layout 1"
target=$root/.cache/libtorch

if [ -f "$target/STAMP" ] && [ "$(cat "$target/STAMP")" = "$STAMP" ]; then
  say "libtorch $TORCH is in place (.cache/libtorch)"
  exit 0
fi
[ "$(uname -s)" = Linux ] || die "this script knows Linux only, this is $(uname -s)" \
  "install libtorch $TORCH yourself and set LIBTORCH to its folder"
case $(uname -m) in
  x86_64 | aarch64) ;;
  *) die "there is no torch $TORCH wheel for $(uname -m)" "build libtorch $TORCH yourself and set LIBTORCH to its folder" ;;
esac
need_python
mkdir -p "$root/.cache"
need_space "$root/.cache" 3000

work=$(mktemp -d "$root/.cache/libtorch.XXXXXX")
trap 'rm -rf "$work"' EXIT
say "downloading torch $TORCH and the CUDA runtime's two small wheels (about 550 MB, once)"
wheels "$work" "torch==$TORCH" "nvidia-cuda-runtime==13.0.*" "nvidia-cuda-cupti==13.0.*"
say "unpacking what is needed"
python3 - "$work" <<'PY'
import pathlib, shutil, sys, zipfile

work = pathlib.Path(sys.argv[1])
out = work / "libtorch"
(out / "lib").mkdir(parents=True)
# The libraries that the worker links: everything else in the wheels is for Python or for the GPU.
LIBS = ("libtorch_cpu.so", "libc10.so", "libgomp", "libcudart.so", "libcupti.so", "libarm_compute", "libopenblas", "libgfortran")
found = set()
for wheel in sorted(work.glob("*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            base = name.rsplit("/", 1)[-1]
            lib = next((lib for lib in LIBS if base.startswith(lib)), None)
            if lib and ".so" in base:
                found.add(lib)
                target = out / "lib" / base
            elif name.startswith("torch/include/") and not name.endswith("/"):
                target = out / name.removeprefix("torch/")
            else:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, open(target, "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
    wheel.unlink()
missing = [lib for lib in LIBS[:5] if lib not in found]
if missing and "libcudart.so" in missing and "libtorch_cpu.so" not in missing:
    # A CPU-only build of torch needs neither of the two.
    missing = [lib for lib in missing if lib not in ("libcudart.so", "libcupti.so")]
if missing:
    sys.exit(f"[set-up] error: the wheels lack {', '.join(missing)}\n[set-up]   fix: report it with the output of `pip debug`")
(out / "lib" / "libtorch.so").write_text("INPUT(-ltorch_cpu -lc10)\n")
PY
[ -e "$work/libtorch/lib/libcudart.so.13" ] || say "no CUDA runtime for $(uname -m): this libtorch works on the CPU only"
printf '%s' "$STAMP" >"$work/libtorch/STAMP"
rm -rf "$target"
mv "$work/libtorch" "$target"
say "libtorch $TORCH is in .cache/libtorch ($(du -sm "$target" | cut -f1) MiB)"
