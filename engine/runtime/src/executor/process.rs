//! Attempts in processes of their own.

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use nix::sys::signal::Signal;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin},
    sync::mpsc,
    task::JoinHandle,
    time,
};
use tokio_util::sync::CancellationToken;
use twinloom_sdk::{Assignment, Message, OperatorError};

use super::{
    AttemptEnd, Executor, Limits, OnSpawn, Program, Programs, Spawned, group::Group, intake::Intake, orphan,
    spawn,
};

/// How long a worker may be silent.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a worker has between SIGTERM and SIGKILL, and between its last word and its end.
const GRACE: Duration = Duration::from_secs(5);
/// How long the streams are read on after the worker's end: what it has written is there at once.
const DRAIN: Duration = Duration::from_secs(2);

/// Runs each attempt in a process group of its own.
#[derive(Debug, Clone)]
pub struct ProcessExecutor {
    programs: Programs,
    silence: Duration,
    grace: Duration,
}

impl ProcessExecutor {
    /// With the usual patience: 60 s of silence, 5 s to end.
    #[must_use]
    pub fn new(programs: Programs) -> Self {
        Self {
            programs,
            silence: SILENCE,
            grace: GRACE,
        }
    }

    /// With another heartbeat timeout and another grace between SIGTERM and SIGKILL.
    #[must_use]
    pub fn with_patience(self, silence: Duration, grace: Duration) -> Self {
        Self {
            silence,
            grace,
            ..self
        }
    }

    /// Runs one attempt with a program of choice; `on_spawn` learns of its process before the task is handed over.
    pub async fn run(
        &self,
        program: Program,
        assignment: Assignment,
        limits: Limits,
        messages: mpsc::Sender<Message>,
        cancel: CancellationToken,
        on_spawn: OnSpawn,
    ) -> AttemptEnd {
        let argv = match self.argv(program) {
            Ok(argv) => argv,
            Err(error) => return AttemptEnd::Finished(Err(error)),
        };
        let mut document = match serde_json::to_vec(&assignment) {
            Ok(document) => document,
            Err(error) => return AttemptEnd::Finished(Err(OperatorError::bug("executor.task", error))),
        };
        document.push(b'\n');
        let child = match spawn::spawn(&argv, &assignment.task, limits) {
            Ok(child) => child,
            Err(error) => return not_started(&argv, &error),
        };
        let Some((worker, stdin)) = Worker::new(child, Intake::new(messages, &assignment.secrets), limits)
        else {
            return AttemptEnd::Crashed {
                description: "the worker ended before it could be watched".to_owned(),
            };
        };
        on_spawn(worker.spawned());
        // The pipe may be smaller than the task, and the worker may talk before it has read all of it.
        let feed = tokio::spawn(feed(stdin, document, worker.intake.ended.clone()));
        let end = worker.watch(self.silence, self.grace, &cancel).await;
        feed.abort();
        end
    }

    fn argv(&self, program: Program) -> Result<Vec<OsString>, OperatorError> {
        match (program, &self.programs.torch) {
            (Program::Worker, _) => Ok(self.programs.worker.clone()),
            (Program::Torch, Some(torch)) => Ok(vec![torch.clone().into_os_string()]),
            (Program::Torch, None) => Err(OperatorError::config(
                "executor.no_torch",
                "this operator needs the program `twinloom-torch`, which was not found",
                "Build it with `make build`, or put it beside `twinloom`.",
            )),
        }
    }
}

#[async_trait]
impl Executor for ProcessExecutor {
    /// With [`Programs::worker`].
    async fn execute(
        &self,
        assignment: Assignment,
        limits: Limits,
        messages: mpsc::Sender<Message>,
        cancel: CancellationToken,
    ) -> AttemptEnd {
        self.run(
            Program::Worker,
            assignment,
            limits,
            messages,
            cancel,
            Box::new(|_| ()),
        )
        .await
    }
}

/// A process that runs an attempt.
struct Worker {
    child: Child,
    pid: u32,
    group: Group,
    intake: Arc<Intake>,
    readers: [JoinHandle<()>; 2],
    limits: Limits,
}

/// Why a worker is ended before its end.
enum Stop {
    Cancelled,
    TimedOut,
    Silent,
    /// It has said its last word and stays.
    Lingers,
}

impl Worker {
    fn new(mut child: Child, intake: Arc<Intake>, limits: Limits) -> Option<(Self, ChildStdin)> {
        let pid = child.id()?;
        let (stdin, stdout, stderr) = (child.stdin.take()?, child.stdout.take()?, child.stderr.take()?);
        let readers = [
            tokio::spawn(Arc::clone(&intake).read_messages(stdout)),
            tokio::spawn(Arc::clone(&intake).read_stderr(stderr)),
        ];
        Some((
            Self {
                child,
                pid,
                group: Group::new(pid)?,
                intake,
                readers,
                limits,
            },
            stdin,
        ))
    }

    fn spawned(&self) -> Spawned {
        Spawned {
            pid: self.pid,
            pgid: self.pid,
            process: orphan::process_of(self.pid),
        }
    }

    async fn watch(mut self, silence: Duration, grace: Duration, cancel: &CancellationToken) -> AttemptEnd {
        let started = Instant::now();
        let (status, stop) = tokio::select! {
            biased;
            status = self.child.wait() => (status.ok(), None),
            stop = stop(&self.intake, self.limits.timeout, silence, grace, cancel) => {
                (self.terminate(grace, matches!(stop, Stop::Lingers)).await, Some(stop))
            }
        };
        // What it has left behind must not go on, nor hold the streams open.
        self.group.signal(Signal::SIGKILL);
        for reader in &mut self.readers {
            if time::timeout(DRAIN, &mut *reader).await.is_err() {
                reader.abort();
            }
        }
        self.intake.close().await;
        match (stop, self.intake.take_end()) {
            (Some(Stop::Cancelled), _) => AttemptEnd::Cancelled,
            (Some(Stop::TimedOut), _) => AttemptEnd::TimedOut,
            (_, Some(end)) => AttemptEnd::Finished(end),
            (stop, None) => {
                let silent = matches!(stop, Some(Stop::Silent)).then_some(silence);
                AttemptEnd::Crashed {
                    description: self.describe(status, silent, started.elapsed()),
                }
            }
        }
    }

    /// Ends the whole group, politely first.
    async fn terminate(&mut self, grace: Duration, at_once: bool) -> Option<ExitStatus> {
        if !at_once {
            self.group.signal(Signal::SIGTERM);
            if let Ok(status) = time::timeout(grace, self.child.wait()).await {
                return status.ok();
            }
        }
        self.group.signal(Signal::SIGKILL);
        self.child.wait().await.ok()
    }

    fn describe(&self, status: Option<ExitStatus>, silent: Option<Duration>, after: Duration) -> String {
        let how = match (
            silent,
            status.and_then(|status| status.signal()),
            status.and_then(|status| status.code()),
        ) {
            (Some(silence), ..) => format!(
                "gave no sign of life for {} s and was killed",
                silence.as_secs_f32()
            ),
            (_, Some(signal), _) => {
                let name =
                    Signal::try_from(signal).map_or_else(|_| signal.to_string(), |signal| signal.to_string());
                format!("was killed by {name}")
            }
            (_, _, Some(code)) => format!("exited with status {code} without a result"),
            _ => "ended without a result".to_owned(),
        };
        let mut text = format!("the worker {how} after {:.1} s", after.as_secs_f32());
        if status.and_then(|status| status.signal()) == Some(Signal::SIGXCPU as i32)
            && let Some(limit) = self.limits.cpu_time
        {
            text.push_str(&format!("; its CPU time is limited to {} s", limit.as_secs_f32()));
        }
        if let (None, Some(bytes)) = (silent, self.limits.memory) {
            text.push_str(&format!("; its memory is limited to {} MiB", bytes >> 20));
        }
        let lines = self.intake.last_lines();
        if !lines.is_empty() {
            text.push_str("; its last lines on stderr:\n");
            text.push_str(&lines.join("\n"));
        }
        text
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        for reader in &self.readers {
            reader.abort();
        }
    }
}

/// Waits until the worker has to be ended.
async fn stop(
    intake: &Intake,
    timeout: Option<Duration>,
    silence: Duration,
    grace: Duration,
    cancel: &CancellationToken,
) -> Stop {
    let limit = async {
        match timeout {
            Some(timeout) => time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    let lingers = async {
        intake.ended.cancelled().await;
        time::sleep(grace).await;
    };
    tokio::select! {
        biased;
        () = lingers => Stop::Lingers,
        () = cancel.cancelled() => if intake.has_ended() { Stop::Lingers } else { Stop::Cancelled },
        () = limit => if intake.has_ended() { Stop::Lingers } else { Stop::TimedOut },
        () = silent(intake, silence) => Stop::Silent,
    }
}

/// Waits until the worker has been silent for too long.
async fn silent(intake: &Intake, silence: Duration) {
    loop {
        let rest = silence.saturating_sub(intake.last_sign().elapsed());
        if rest.is_zero() {
            // After a pause of the whole machine its words may be there and only not be read yet.
            time::sleep(silence.min(Duration::from_secs(2))).await;
            if intake.last_sign().elapsed() >= silence {
                return;
            }
        } else {
            time::sleep(rest).await;
        }
    }
}

/// Hands the task over and keeps stdin open until the worker has said its last word: its end means to the worker that
/// the scheduler is gone.
async fn feed(mut stdin: ChildStdin, document: Vec<u8>, ended: CancellationToken) {
    // A worker that does not read will end by itself or by a limit.
    if stdin.write_all(&document).await.is_ok() {
        let _ = stdin.flush().await;
    }
    ended.cancelled().await;
}

fn not_started(argv: &[OsString], error: &std::io::Error) -> AttemptEnd {
    let program = argv
        .first()
        .map(|program| program.to_string_lossy().into_owned())
        .unwrap_or_default();
    let message = format!("the worker `{program}` could not be started: {error}");
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => {
            let hint = "Check that the program is there and may be executed.";
            AttemptEnd::Finished(Err(OperatorError::config("executor.program", message, hint)))
        }
        _ => {
            let hint = "The machine is out of processes or memory; the attempt is repeated.";
            AttemptEnd::Finished(Err(OperatorError::retry("executor.spawn", message, hint)))
        }
    }
}
