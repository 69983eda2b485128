#!/usr/bin/env bash
# Everything that a build needs beside crates: tools checked, libtorch and the embedder's weights into .cache,
# the web UI into engine/server/ui/dist.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=infra/setup/common.sh
. "$here/common.sh"

for tool in cargo rustc; do
  command -v "$tool" >/dev/null 2>&1 || die "$tool is not installed" "install Rust 1.95 or later: https://rustup.rs"
done
command -v git >/dev/null 2>&1 || die "git is not installed" "apt-get install git"
for tool in cc c++; do
  command -v "$tool" >/dev/null 2>&1 || die "the compiler $tool is not installed" "apt-get install build-essential"
done
# Also where libtorch is in place already: the servers for the tests and the figures want it too.
need_python
command -v make >/dev/null 2>&1 ||
  say "make is not installed: call the scripts in infra/ yourself, or apt-get install make"
have=$(rustc --version | awk '{print $2}')
[ "$(printf '1.95.0\n%s\n' "$have" | sort -V | head -n 1)" = 1.95.0 ] ||
  die "Rust $have is too old, 1.95 is needed" "rustup update stable"
"$here/libtorch.sh"
"$here/embedder.sh"
"$here/node.sh"
