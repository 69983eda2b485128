//! Processes of attempts whose scheduler died.

use std::{fs, io::Read, thread, time::Duration};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use twinloom_meta::AttemptRow;

/// The environment variable that marks every process of an attempt: `<run>/<task>/<attempt>`.
pub const MARK: &str = "TWINLOOM_ATTEMPT";

/// More of a process's environment is not looked at.
const ENVIRONMENT: u64 = 1 << 20;

/// How often killed processes are looked for again, and how long they have to go in between.
const ROUNDS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// The value of [`MARK`] for an attempt.
pub fn mark(run: &str, task: &str, attempt: u32) -> String {
    format!("{run}/{task}/{attempt}")
}

/// Boot and start time of a live process, as `boot:ticks`: no later process with the same id has both.
pub fn process_of(pid: u32) -> Option<String> {
    let start = crate::owner::start_of(pid)?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{}:{start}", boot.trim()))
}

/// Kills what is left of an attempt on this machine and waits until it is gone: the group of its process, if that is
/// still the same process, and everything that carries the attempt's mark, in whatever group. Returns how many it has
/// killed. It looks at every process, so it is for a scheduler's start and for taking over a run.
pub async fn kill_orphan(attempt: &AttemptRow) -> usize {
    let attempt = attempt.clone();
    tokio::task::spawn_blocking(move || {
        let mut killed = 0;
        // What forks while it is being killed is found in the next round.
        for _ in 0..ROUNDS {
            let now = kill_once(&attempt);
            if now == 0 {
                break;
            }
            killed += now;
            thread::sleep(PAUSE);
        }
        killed
    })
    .await
    .unwrap_or(0)
}

fn kill_once(attempt: &AttemptRow) -> usize {
    let mut killed = 0;
    if let Some(leader) = leader(attempt) {
        killed += usize::from(killpg(leader, Signal::SIGKILL).is_ok());
    }
    let mark = format!("{MARK}={}", mark(&attempt.run, &attempt.task, attempt.attempt));
    for pid in processes() {
        if has_variable(pid, mark.as_bytes()) {
            killed += usize::from(kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok());
        }
    }
    killed
}

/// The attempt's process, if it lives and is not a later one with the same id.
fn leader(attempt: &AttemptRow) -> Option<Pid> {
    let pid = u32::try_from(attempt.pid?).ok().filter(|pid| *pid > 1)?;
    let same = process_of(pid)? == *attempt.process.as_ref()?;
    same.then(|| i32::try_from(pid).ok().map(Pid::from_raw)).flatten()
}

/// Every process but this one.
fn processes() -> Vec<i32> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid > 1 && *pid != own).collect()
}

/// Of other users' processes the environment cannot be read: those are not ours.
fn has_variable(pid: i32, variable: &[u8]) -> bool {
    let Ok(file) = fs::File::open(format!("/proc/{pid}/environ")) else {
        return false;
    };
    let mut environment = Vec::new();
    let read = file.take(ENVIRONMENT).read_to_end(&mut environment);
    read.is_ok()
        && environment
            .split(|byte| *byte == 0)
            .any(|entry| entry == variable)
}
