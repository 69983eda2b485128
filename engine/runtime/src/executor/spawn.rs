//! Starting workers.

use std::{env, ffi::OsString, io, process::Stdio, time::Duration};

use nix::libc;
use tokio::process::{Child, Command};
use twinloom_sdk::{SECRET_PREFIX, TaskDocument, worker::environment};

use super::{Limits, orphan};

/// Variables by which libraries learn how many threads they may use.
const THREADS: [&str; 5] = [
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "TOKIO_WORKER_THREADS",
];

/// Between SIGXCPU and SIGKILL, in seconds of CPU time.
const CPU_GRACE: u64 = 5;

/// Starts a program for an attempt, in a group of its own and with its limits.
///
/// Nothing runs between fork and exec, so the standard library takes `posix_spawn`, which does not copy the page tables
/// of the scheduler: the limits are set from outside, before the program has its task.
pub fn spawn(argv: &[OsString], task: &TaskDocument, limits: Limits) -> io::Result<Child> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "no program is configured",
        ));
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env(orphan::MARK, orphan::mark(&task.run, &task.task, task.attempt))
        .envs(environment())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    // A worker is handed the secrets that its task names, and no others.
    let secrets = env::vars_os().map(|(name, _)| name);
    for name in secrets.filter(|name| name.as_encoded_bytes().starts_with(SECRET_PREFIX.as_bytes())) {
        command.env_remove(name);
    }
    if let Some(threads) = limits.threads {
        command.envs(THREADS.map(|name| (name, threads.max(1).to_string())));
    }
    let child = command.spawn()?;
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        limit(pid, limits)?;
    }
    Ok(child)
}

fn limit(pid: i32, limits: Limits) -> io::Result<()> {
    set(pid, libc::RLIMIT_CORE, 0, 0)?;
    if let Some(bytes) = limits.memory {
        // Memory that it may write to: files that it maps to read, or addresses that a GPU's driver reserves, take none.
        set(pid, libc::RLIMIT_DATA, bytes, bytes)?;
    }
    if let Some(time) = limits.cpu_time {
        let seconds = time.as_secs() + u64::from(time > Duration::from_secs(time.as_secs()));
        set(pid, libc::RLIMIT_CPU, seconds.max(1), seconds.max(1) + CPU_GRACE)?;
    }
    Ok(())
}

fn set(pid: i32, resource: libc::__rlimit_resource_t, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: `limit` lives until the call returns, and the old limit is not asked for.
    let result = unsafe { libc::prlimit(pid, resource, &raw const limit, std::ptr::null_mut()) };
    let error = io::Error::last_os_error();
    // A program that has ended already needs no limit.
    if result == 0 || error.raw_os_error() == Some(libc::ESRCH) {
        Ok(())
    } else {
        Err(error)
    }
}
