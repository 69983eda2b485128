//! Executors: they run one attempt of a task and say how it ended. They own processes and nothing else: states, retries
//! and publication are the dispatcher's.

mod group;
mod inline;
mod intake;
mod lines;
mod orphan;
mod process;
mod spawn;
#[cfg(test)]
mod tests;
mod watchdog;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use twinloom_sdk::{Assignment, Message, OperatorError, Outcome};

pub use inline::InlineExecutor;
pub use orphan::kill_orphan;
pub use process::ProcessExecutor;

/// Runs attempts.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Runs one attempt to its end. Logs, progress and metrics go to `messages` as they come; when it is full the
    /// attempt is held up. Heartbeats, outputs and last messages are not passed on.
    async fn execute(
        &self,
        assignment: Assignment,
        limits: Limits,
        messages: mpsc::Sender<Message>,
        cancel: CancellationToken,
    ) -> AttemptEnd;
}

/// What an attempt may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Wall-clock time.
    pub timeout: Option<Duration>,
    /// Address space in bytes; of a process only.
    pub memory: Option<u64>,
    /// CPU time, rounded up to seconds; of a process only.
    pub cpu_time: Option<Duration>,
    /// Threads that libraries are told to use; of a process only.
    pub threads: Option<u32>,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum AttemptEnd {
    /// The operator came to an end, well or not.
    Finished(Result<Outcome, OperatorError>),
    /// It took longer than its limit.
    TimedOut,
    /// It was stopped on request.
    Cancelled,
    /// Its process ended without a last message, could not be started, or gave no sign of life.
    Crashed {
        /// What is known: exit status or signal, and the last lines on stderr.
        description: String,
    },
}

/// The programs that run operators.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Programs {
    /// Program and arguments of the worker: `twinloom worker`.
    pub worker: Vec<OsString>,
    /// The program `twinloom-torch`, where it is built.
    pub torch: Option<PathBuf>,
}

/// Which program runs an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Program {
    /// [`Programs::worker`].
    #[default]
    Worker,
    /// [`Programs::torch`].
    Torch,
}

/// The process of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spawned {
    /// Its id.
    pub pid: u32,
    /// Its process group, of which it is the leader.
    pub pgid: u32,
    /// Boot and start time: tells it from a later process with the same id.
    pub process: Option<String>,
}

/// Called once with the process of an attempt, before the task is handed to it.
pub type OnSpawn = Box<dyn FnOnce(Spawned) + Send>;
