#!/usr/bin/env bash
# make check: format, lints, and the tests that need no server and no libtorch.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo fmt --all --check
cargo clippy --locked --all-targets -- -D warnings
cargo test --locked --lib --bins
if [ -d .cache/libtorch ]; then
  cargo clippy --locked -p twinloom-torch --all-targets -- -D warnings
fi
