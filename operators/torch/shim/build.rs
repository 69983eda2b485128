//! Compiles the C++ side against the libtorch that tch links.

use std::{env, path::PathBuf};

/// Widths that the kernels are compiled for on x86-64; the widest that the CPU has is picked when they are first used.
const WIDTHS: [(&str, &[&str]); 2] = [
    ("avx2", &["-mavx2", "-mfma"]),
    (
        "avx512",
        &[
            "-mavx512f",
            "-mavx512bw",
            "-mavx512vl",
            "-mavx512dq",
            "-mfma",
            "-mprefer-vector-width=512",
        ],
    ),
];

fn main() {
    println!("cargo:rerun-if-changed=cpp");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let Some(libtorch) = env::var_os("LIBTORCH").map(PathBuf::from) else {
        println!("cargo:warning=LIBTORCH is not set: run infra/setup/libtorch.sh");
        return;
    };
    let x86 = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64");
    let abi = env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned());
    // Optimised whatever the profile: tests run these loops too.
    let build = || {
        let mut build = cc::Build::new();
        build
            .cpp(true)
            .pic(true)
            .warnings(false)
            .opt_level(3)
            .debug(false)
            .std("c++17");
        build
    };
    kernels(build(), "base", &[]);
    if x86 {
        for (width, flags) in WIDTHS {
            kernels(build(), width, flags);
        }
    }
    let mut functions = build();
    if x86 {
        functions.define("TL_X86", None);
    }
    functions
        .include(libtorch.join("include"))
        .include(libtorch.join("include/torch/csrc/api/include"))
        .flag("-fopenmp")
        .flag(format!("-D_GLIBCXX_USE_CXX11_ABI={abi}"))
        .files(["cpp/functions.cpp", "cpp/dispatch.cpp"])
        .compile("twinloom_shim");
    // at::parallel_for is a template over OpenMP, and has to use the OpenMP of libtorch.
    println!(
        "cargo:rustc-link-search=native={}",
        libtorch.join("lib").display()
    );
    println!("cargo:rustc-link-lib=dylib:+verbatim=libgomp.so.1");
    // For this crate's own tests; the worker has its own search path.
    println!(
        "cargo:rustc-link-arg=-Wl,-rpath,{}",
        libtorch.join("lib").display()
    );
}

fn kernels(mut build: cc::Build, width: &str, flags: &[&str]) {
    build
        .define("TL_WIDTH", Some(width))
        .flag("-fopenmp-simd")
        .flag("-fno-math-errno");
    for flag in flags {
        build.flag(flag);
    }
    build.file("cpp/kernels.cpp");
    build.compile(&format!("twinloom_kernels_{width}"));
}
