#!/usr/bin/env bash
# Puts libtorch together in .cache/libtorch from three PyPI wheels, without Python's dependency tree.
#
#   infra/setup/libtorch.sh          what the worker links and is built against (0.5 GB)
#   infra/setup/libtorch.sh --gpu    and, in .cache/libtorch-cuda, what a GPU needs beside it (3 GB): the worker looks there
#                                    when it runs, so that nothing has to be built again; elsewhere it is TWINLOOM_CUDA
#
# libtorch_cpu.so of the CUDA build needs libcudart and libcupti, so their two wheels come along. Safe to repeat.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=infra/setup/common.sh
. "$root/infra/setup/common.sh"

TORCH=2.11.0
case ${1:-} in
  "") part=cpu target=$root/.cache/libtorch STAMP="torch $TORCH, cuda 13.0, layout 1" ;;
  --gpu) part=gpu target=$root/.cache/libtorch-cuda STAMP="torch $TORCH, cuda 13.0, gpu layout 1" ;;
  *) die "there is no option $1" "use none, or --gpu" ;;
esac
place=.cache/$(basename "$target")

# The GPU's half is of no use without the other.
[ $part = cpu ] || "${BASH_SOURCE[0]}"
if [ -f "$target/STAMP" ] && [ "$(cat "$target/STAMP")" = "$STAMP" ]; then
  say "libtorch $TORCH ($part) is in place ($place)"
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
need_space "$root/.cache" $([ $part = cpu ] && echo 3000 || echo 10000)

work=$(mktemp -d "$root/.cache/libtorch.XXXXXX")
trap 'rm -rf "$work"' EXIT
if [ $part = cpu ]; then
  say "downloading torch $TORCH and the CUDA runtime's two small wheels (about 550 MB, once)"
  wheels "$work" "torch==$TORCH" "nvidia-cuda-runtime==13.0.*" "nvidia-cuda-cupti==13.0.*"
else
  say "downloading torch $TORCH and NVIDIA's libraries for it (about 2.5 GB, once)"
  wheels "$work" "torch==$TORCH"
  # Torch's own list, so that versions are those that it was built with.
  mapfile -t libraries < <(python3 - "$work" <<'PY'
import pathlib, sys, zipfile
wheel = next(pathlib.Path(sys.argv[1]).glob("torch-*.whl"))
with zipfile.ZipFile(wheel) as archive:
    name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    lines = archive.read(name).decode().splitlines()
for line in lines:
    wanted = line.removeprefix("Requires-Dist: ")
    if wanted != line and wanted.startswith(("nvidia-", "cuda-toolkit")) and "extra ==" not in wanted:
        print(wanted)
PY
  )
  [ ${#libraries[@]} -gt 0 ] || die "torch $TORCH names no library of NVIDIA" "this machine's wheel is for the CPU only"
  # With their dependencies, which are NVIDIA's too.
  WHEELS_DEPS=1 wheels "$work" "${libraries[@]}"
fi
say "unpacking what is needed"
python3 - "$work" $part <<'PY'
import pathlib, shutil, sys, zipfile

work, part = pathlib.Path(sys.argv[1]), sys.argv[2]
out = work / "libtorch"
(out / "lib").mkdir(parents=True)
# The libraries that the worker links: everything else in the wheels is for Python or for the GPU.
CPU = ("libtorch_cpu.so", "libc10.so", "libgomp", "libcudart.so", "libcupti.so", "libarm_compute", "libopenblas", "libgfortran")
# What libtorch_cuda is made of; of NVIDIA's wheels every library but those that the worker has already: a second copy of
# the CUDA runtime would be a runtime of its own.
GPU = ("libtorch_cuda", "libc10_cuda", "libtorch_nvshmem", "libcaffe2_nvrtc")
found = set()
for wheel in sorted(work.glob("*.whl")):
    torch = wheel.name.startswith("torch-")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            base = name.rsplit("/", 1)[-1]
            library = ".so" in base and not base.endswith(".py")
            lib = next((lib for lib in CPU if base.startswith(lib)), None) if library else None
            if part == "gpu":
                lib = None if lib or not library else next((lib for lib in GPU if base.startswith(lib)), None if torch else base)
            if lib:
                found.add(lib)
                target = out / "lib" / base
            elif part == "cpu" and name.startswith("torch/include/") and not name.endswith("/"):
                target = out / name.removeprefix("torch/")
            else:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, open(target, "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
    wheel.unlink()
needed = CPU[:5] if part == "cpu" else GPU[:2]
missing = [lib for lib in needed if lib not in found]
if part == "cpu" and "libcudart.so" in missing and "libtorch_cpu.so" not in missing:
    # A CPU-only build of torch needs neither of the two.
    missing = [lib for lib in missing if lib not in ("libcudart.so", "libcupti.so")]
if missing:
    sys.exit(f"[set-up] error: the wheels lack {', '.join(missing)}\n[set-up]   fix: report it with the output of `pip debug`")
if part == "cpu":
    (out / "lib" / "libtorch.so").write_text("INPUT(-ltorch_cpu -lc10)\n")
PY
[ $part = gpu ] || [ -e "$work/libtorch/lib/libcudart.so.13" ] ||
  say "no CUDA runtime for $(uname -m): this libtorch works on the CPU only"
printf '%s' "$STAMP" >"$work/libtorch/STAMP"
rm -rf "$target"
mv "$work/libtorch" "$target"
say "libtorch $TORCH ($part) is in $place ($(du -sm "$target" | cut -f1) MiB)"
