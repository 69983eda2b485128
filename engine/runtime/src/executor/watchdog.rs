//! A shell that outlives the scheduler for a moment: it is told of every worker's process group, and when its stdin
//! ends, because the scheduler is gone in whatever way, it kills those that are left.
//!
//! The kernel's parent-death signal would do this for a worker, but not for what the worker has started, and asking for
//! it needs a fork of the whole scheduler for each worker, which takes tens of milliseconds in one of 256 MB.

use std::{
    collections::HashSet,
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::{LazyLock, Mutex, PoisonError},
};

/// Reads `+ GROUP` and `- GROUP`; at the end of its input it kills the groups that were added and not taken away.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
groups=' '
while read -r sign group; do
    case $sign in
        +) groups="$groups$group " ;;
        -) groups="${groups%% $group *} ${groups#* $group }" ;;
    esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
"#;

static WATCHDOG: LazyLock<Mutex<Watchdog>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Watchdog {
    shell: Option<Child>,
    groups: HashSet<i32>,
}

/// Has a process group killed when this process dies.
pub fn watch(group: i32) {
    let mut watchdog = WATCHDOG.lock().unwrap_or_else(PoisonError::into_inner);
    watchdog.groups.insert(group);
    if watchdog.tell('+', group).is_err()
        && let Err(error) = watchdog.start()
    {
        // Workers that follow the protocol end by themselves when their stdin does.
        tracing::warn!(%error, "no watchdog: a worker that hangs may outlive a scheduler that is killed");
    }
}

/// The process group is gone.
pub fn forget(group: i32) {
    let mut watchdog = WATCHDOG.lock().unwrap_or_else(PoisonError::into_inner);
    watchdog.groups.remove(&group);
    // A shell that is gone is started again for the next worker.
    let _ = watchdog.tell('-', group);
}

impl Watchdog {
    fn tell(&mut self, sign: char, group: i32) -> io::Result<()> {
        let stdin = self.shell.as_mut().and_then(|shell| shell.stdin.as_mut());
        // One write: lines must not be torn.
        stdin
            .ok_or(io::ErrorKind::NotConnected)?
            .write_all(format!("{sign} {group}\n").as_bytes())
    }

    fn start(&mut self) -> io::Result<()> {
        if let Some(mut old) = self.shell.take() {
            let _ = old.kill();
            let _ = old.wait();
        }
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "twinloom-watchdog"])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Of its own, so that what is meant for the scheduler's group does not hit it.
            .process_group(0)
            .spawn()?;
        self.shell = Some(shell);
        let groups: Vec<i32> = self.groups.iter().copied().collect();
        groups.into_iter().try_for_each(|group| self.tell('+', group))
    }
}
