//! The process's set-up before libtorch is first used: its libraries' environment, and CUDA where there is a GPU.

use std::{
    env,
    ffi::OsString,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use serde::Serialize;
use tch::{Cuda, Device};
use twinloom_sdk::worker::environment;

use crate::ModelError;

/// The GPU's half of libtorch, and what CUDA's driver shows where there is a GPU.
const CUDA_LIBRARY: &str = "libtorch_cuda.so";
const GPU_NODES: [&str; 3] = ["/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg"];
/// Names the folder of that library.
const CUDA_FOLDER: &str = "TWINLOOM_CUDA";
/// Where `infra/setup/libtorch.sh --gpu` puts it, from `target/PROFILE` and `target/PROFILE/deps`.
const CUDA_FOLDERS: [&str; 2] = [
    "../../.cache/libtorch-cuda/lib",
    "../../../.cache/libtorch-cuda/lib",
];
/// Where the loader looks first.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

static CUDA_PROBLEM: OnceLock<String> = OnceLock::new();

/// Starts this program once more with the environment that libtorch's libraries read when they are loaded, unless all
/// of it is set already. What the caller set stays. Call it first in `main`.
pub fn prepare() {
    let mut missing: Vec<(&str, OsString)> =
        environment().map(|(name, value)| (name, value.into())).collect();
    missing.extend(library_path().map(|path| (LIBRARY_PATH, path)));
    if missing.is_empty() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    // Returns only where it failed; slower waiting is no reason to give up.
    let _ = Command::new(program)
        .args(env::args_os().skip(1))
        .envs(missing)
        .exec();
}

/// Loads libtorch_cuda where there is a GPU, or where TWINLOOM_CUDA says that it should. libtorch answers the first
/// question about CUDA for good, so this comes before it. Why it did not work is then in [`cuda_problem`].
pub fn load_cuda() {
    if !expected() {
        return;
    }
    let problem = match open_cuda() {
        Err(problem) => problem,
        Ok(()) if Cuda::is_available() => return,
        Ok(()) => {
            "libtorch_cuda is loaded and finds no usable GPU: `nvidia-smi` shows whether the driver works, which has to be \
             one for CUDA 13"
                .to_owned()
        }
    };
    let _ = CUDA_PROBLEM.set(problem);
}

/// Why CUDA does not work although it was to be expected.
#[must_use]
pub fn cuda_problem() -> Option<&'static str> {
    CUDA_PROBLEM.get().map(String::as_str)
}

/// Whether CUDA should work.
fn expected() -> bool {
    named_folder().is_some() || GPU_NODES.iter().any(|node| Path::new(node).exists())
}

fn named_folder() -> Option<PathBuf> {
    let named = env::var_os(CUDA_FOLDER).filter(|folder| !folder.is_empty())?;
    std::path::absolute(named).ok()
}

/// Where libtorch_cuda lies, with what it needs.
fn cuda_folder() -> Option<PathBuf> {
    let beside = |folder: &str| {
        env::current_exe()
            .ok()?
            .parent()?
            .join(folder)
            .canonicalize()
            .ok()
    };
    let mut known = CUDA_FOLDERS.into_iter().filter_map(beside);
    named_folder().or_else(|| known.find(|folder| folder.join(CUDA_LIBRARY).is_file()))
}

/// The loader's search path with that folder in front, where it is not in it yet: CUDA's libraries load each other by name,
/// some of them late.
fn library_path() -> Option<OsString> {
    let folder = cuda_folder().filter(|_| expected())?;
    let current = env::var_os(LIBRARY_PATH).unwrap_or_default();
    let known: Vec<PathBuf> = env::split_paths(&current)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if known.contains(&folder) {
        return None;
    }
    env::join_paths(std::iter::once(folder).chain(known)).ok()
}

fn open_cuda() -> Result<(), String> {
    let folder = cuda_folder();
    // Without a folder on the system's own search path, where it may have been installed some other way.
    let library = folder.map_or(CUDA_LIBRARY.into(), |folder| folder.join(CUDA_LIBRARY));
    // SAFETY: the library of the same libtorch build; its initialisers register kernels and have no other effect.
    match unsafe { Library::open(Some(&library), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => {
            // Registered kernels must stay for the life of the process.
            std::mem::forget(library);
            Ok(())
        }
        Err(error) => Err(format!(
            "{} cannot be loaded ({error}): run `infra/setup/libtorch.sh --gpu`, or set {CUDA_FOLDER} to its folder",
            library.display()
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
    let why = cuda_problem().map_or(String::new(), |problem| format!(": {problem}"));
    Err(ModelError::input(
        format!("`{name}` was asked for, but there are {there} usable GPUs{why}"),
        "Use `auto` or `cpu`; `infra/setup/libtorch.sh --gpu` fetches what a GPU needs.",
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
    pub cuda_problem: Option<&'static str>,
    /// Threads of an operation.
    pub threads: i32,
    /// How OpenMP waits.
    pub openmp_wait: Option<String>,
    /// Memory of cuBLAS: a fixed one gives equal results of equal products.
    pub cublas_workspace: Option<String>,
}

/// Looks at the process.
#[must_use]
pub fn info() -> Info {
    let cuda = Cuda::is_available();
    Info {
        version: env!("CARGO_PKG_VERSION"),
        libtorch: "2.11.0",
        cuda,
        gpus: if cuda { Cuda::device_count() } else { 0 },
        cuda_problem: cuda_problem(),
        threads: tch::get_num_threads(),
        openmp_wait: env::var("OMP_WAIT_POLICY").ok(),
        cublas_workspace: env::var("CUBLAS_WORKSPACE_CONFIG").ok(),
    }
}
