//! The process's set-up before libtorch is first used: quiet OpenMP threads, and CUDA where there is a GPU.

use std::{env, os::unix::process::CommandExt, path::Path, process::Command};

use serde::Serialize;
use tch::{Cuda, Device};

use crate::ModelError;

/// OpenMP's waiting threads spin by default; beside a second load on the machine that costs most of the throughput.
/// libgomp reads these once, when it is loaded, so they have to stand in the environment before that.
const OPENMP: [(&str, &str); 3] = [
    ("OMP_WAIT_POLICY", "PASSIVE"),
    ("GOMP_SPINCOUNT", "0"),
    ("KMP_BLOCKTIME", "0"),
];

/// The GPU's half of libtorch, and what CUDA's driver shows where there is a GPU.
const CUDA_LIBRARY: &str = "libtorch_cuda.so";
const GPU_NODES: [&str; 2] = ["/dev/nvidiactl", "/dev/nvidia0"];

/// Starts this program once more with OpenMP's variables set, unless they are. Call it first in `main`.
pub fn quiet_openmp() {
    if env::var_os("OMP_WAIT_POLICY").is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    // Returns only where it failed; slower waiting is no reason to give up.
    let _ = Command::new(program)
        .args(env::args_os().skip(1))
        .envs(OPENMP)
        .exec();
}

/// Loads libtorch_cuda where there is a GPU. libtorch answers the first question about CUDA for good, so this comes
/// before it.
pub fn load_cuda() -> Option<String> {
    if !GPU_NODES.iter().any(|node| Path::new(node).exists()) {
        return None;
    }
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: the library of the same libtorch build; its initialisers register kernels and have no other effect.
    match unsafe { Library::open(Some(CUDA_LIBRARY), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => {
            // Registered kernels must stay for the life of the process.
            std::mem::forget(library);
            None
        }
        Err(error) => Some(format!(
            "there is a GPU, but {CUDA_LIBRARY} cannot be loaded ({error}): using the CPU"
        )),
    }
}

/// The device of that name: `auto`, `cpu`, `cuda`, `cuda:N`.
///
/// # Errors
/// `model.input` when the name is none of these, or the GPU is not there.
pub fn parse(name: &str) -> Result<Device, ModelError> {
    let index = match name {
        "auto" if !Cuda::is_available() => return Ok(Device::Cpu),
        "cpu" => return Ok(Device::Cpu),
        "auto" | "cuda" => 0,
        _ => name
            .strip_prefix("cuda:")
            .and_then(|index| index.parse().ok())
            .ok_or_else(|| {
                ModelError::input(
                    format!("there is no device `{name}`"),
                    "Use auto, cpu, cuda or cuda:N.",
                )
            })?,
    };
    let there = if Cuda::is_available() {
        Cuda::device_count()
    } else {
        0
    };
    if (index as i64) < there {
        return Ok(Device::Cuda(index));
    }
    Err(ModelError::input(
        format!("`{name}` was asked for, but there are {there} usable GPUs"),
        "Use `auto` or `cpu`.",
    ))
}

/// What `twinloom-torch info` prints.
#[derive(Debug, Serialize)]
pub struct Info {
    /// Version of this program.
    pub version: &'static str,
    /// Version of libtorch that it is built for.
    pub libtorch: &'static str,
    /// Whether CUDA works.
    pub cuda: bool,
    /// Number of usable GPUs.
    pub gpus: i64,
    /// Why CUDA does not work although there is a GPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cuda_problem: Option<String>,
    /// Threads of an operation.
    pub threads: i32,
    /// How OpenMP waits.
    pub openmp_wait: Option<String>,
}

/// Looks at the process.
#[must_use]
pub fn info(cuda_problem: Option<String>) -> Info {
    let cuda = Cuda::is_available();
    Info {
        version: env!("CARGO_PKG_VERSION"),
        libtorch: "2.11.0",
        cuda,
        gpus: if cuda { Cuda::device_count() } else { 0 },
        cuda_problem,
        threads: tch::get_num_threads(),
        openmp_wait: env::var("OMP_WAIT_POLICY").ok(),
    }
}
