//! Lets the binary find libtorch without LD_LIBRARY_PATH: beside the repository's `target`, beside itself, or where it
//! was linked from.

use std::{env, path::Path};

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    println!("cargo:rerun-if-changed=build.rs");
    // `target/debug/twinloom-torch`, `target/debug/deps/…` (tests) and an installed `bin/` with `lib/` beside it.
    for path in [
        "$ORIGIN/../../.cache/libtorch/lib",
        "$ORIGIN/../../../.cache/libtorch/lib",
        "$ORIGIN/../lib",
    ] {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{path}");
    }
    let Some(libtorch) = env::var_os("LIBTORCH") else {
        return;
    };
    let lib = Path::new(&libtorch).join("lib");
    if !lib.join("libtorch_cpu.so").exists() {
        println!(
            "cargo:warning=there is no libtorch in {}: run infra/setup/libtorch.sh, or set LIBTORCH to its folder",
            lib.display()
        );
    }
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
}
