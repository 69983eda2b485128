#!/usr/bin/env bash
# Everything that a build needs beside crates: tools checked, libtorch and the embedder's weights into .cache,
# the web UI into engine/server/ui/dist.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=infra/setup/common.sh
. "$here/common.sh"

command -v cargo >/dev/null 2>&1 || die "cargo is not installed" "install Rust 1.95 or later: https://rustup.rs"
command -v git >/dev/null 2>&1 || die "git is not installed" "apt-get install git"
for tool in cc c++; do
  command -v "$tool" >/dev/null 2>&1 || die "the compiler $tool is not installed" "apt-get install build-essential"
done
have=$(rustc --version | awk '{print $2}')
[ "$(printf '1.95.0\n%s\n' "$have" | sort -V | head -n 1)" = 1.95.0 ] ||
  die "Rust $have is too old, 1.95 is needed" "rustup update stable"
"$here/libtorch.sh"
"$here/embedder.sh"
"$here/node.sh"
