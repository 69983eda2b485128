//! A child process in a group of its own, which ends with the task and with the worker.

use std::{
    ffi::OsString,
    io,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::{prctl, signal::Signal, signal::killpg},
    unistd::Pid,
};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use twinloom_sdk::SECRET_PREFIX;

/// How long a cancelled program may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// What to start.
pub(super) struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub dir: PathBuf,
    pub variables: Vec<(String, String)>,
}

/// A running program with its group.
pub(super) struct Running {
    pub child: Child,
    group: Option<Pid>,
}

impl Running {
    /// Starts it with pipes on all three streams. Secrets of other steps do not reach it.
    pub fn start(launch: Launch) -> io::Result<Self> {
        let mut command = Command::new(launch.program);
        command.args(launch.arguments).current_dir(launch.dir);
        let secrets = std::env::vars_os().map(|(name, _)| name);
        let is_secret = |name: &OsString| name.to_str().is_some_and(|name| name.starts_with(SECRET_PREFIX));
        secrets.filter(is_secret).for_each(|name| {
            command.env_remove(name);
        });
        command.envs(launch.variables);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        // SAFETY: between fork and exec only one system call is made, which takes no lock and allocates nothing.
        #[expect(
            unsafe_code,
            reason = "dying with the parent can only be asked for in the child"
        )]
        unsafe {
            command.pre_exec(|| prctl::set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from));
        }
        let child = command.spawn()?;
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw);
        Ok(Self { child, group })
    }

    /// Waits for the program, then ends what it left in the background, which would hold the pipes open.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.signal(Signal::SIGKILL);
        // From here on the number may come to mean another group.
        self.group = None;
        Ok(status)
    }

    /// Asks the whole group to end, and makes it after a while.
    pub async fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        let _ = timeout(GRACE, self.child.wait()).await;
        // Others of the group may take no notice of their leader's end.
        sleep(Duration::from_millis(20)).await;
        self.signal(Signal::SIGKILL);
        let _ = self.child.wait().await;
        self.group = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // No such group: all of it has ended.
            let _ = killpg(group, signal);
        }
    }
}

impl Drop for Running {
    /// What the program left in the background ends with the step.
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}
