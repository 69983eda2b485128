//! The main loop of a worker process: one task, then exit.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{Assignment, Message, OperatorError, Outcome, Registry, Reporter, execute};

/// A task document is not longer than this.
const LONGEST_TASK: u64 = 64 << 20;

/// What a worker's libraries read when they are loaded. OpenMP's threads spin while they wait by default, which costs a
/// busy machine most of its speed; cuBLAS sums in one order only with a memory of fixed size.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("OMP_WAIT_POLICY", "PASSIVE"),
    ("GOMP_SPINCOUNT", "0"),
    ("KMP_BLOCKTIME", "0"),
    ("CUBLAS_WORKSPACE_CONFIG", ":4096:8"),
];

/// The variables that a worker's libraries read from its environment and that nobody has set. Who starts a worker sets them,
/// which spares the worker a second start.
pub fn environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    let unset = |(name, _): &(&str, &str)| std::env::var_os(name).is_none();
    ENVIRONMENT.into_iter().filter(unset)
}

/// How often a worker says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Exit code of a worker whose scheduler is gone.
const ORPHANED: i32 = 113;

/// Reads one task from stdin, runs it, writes messages to stdout, and ends the process's work.
///
/// Exit codes: 0 done or waiting, 1 failed (with an `error` message), 113 the scheduler went away.
pub fn serve(registry: &Registry) -> ExitCode {
    let reporter = stdout_reporter();
    let end = read_task().and_then(|assignment| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(no_runtime)?;
        runtime.block_on(run(registry, assignment, reporter.clone()))
    });
    match end {
        Ok(Outcome::Done(done)) => {
            for (port, artifact) in done.outputs {
                reporter.send(Message::Output {
                    port,
                    artifact: Box::new(artifact),
                });
            }
            reporter.send(Message::Result {
                metrics: done.metrics,
                aliases: done.aliases,
            });
            ExitCode::SUCCESS
        }
        Ok(Outcome::Wait(request)) => {
            reporter.send(Message::Wait { request });
            ExitCode::SUCCESS
        }
        Err(error) => {
            reporter.send(Message::Error { error });
            ExitCode::FAILURE
        }
    }
}

async fn run(
    registry: &Registry,
    assignment: Assignment,
    reporter: Reporter,
) -> Result<Outcome, OperatorError> {
    let cancelled = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).map_err(no_runtime)?;
    let token = cancelled.clone();
    tokio::spawn(async move {
        terminate.recv().await;
        token.cancel();
    });
    execute(registry, assignment, None, reporter, cancelled).await
}

/// Reads the task's line, then leaves a thread on stdin: its end means that nobody waits for the result.
fn read_task() -> Result<Assignment, OperatorError> {
    let mut stdin = BufReader::new(io::stdin());
    let mut line = Vec::new();
    let not_read = |error: &dyn std::fmt::Display| {
        OperatorError::config(
            "protocol.task",
            format!("no task could be read from stdin: {error}"),
            "A worker is started by the scheduler; to run a DAG use `twinloom run FILE`.",
        )
    };
    stdin
        .by_ref()
        .take(LONGEST_TASK)
        .read_until(b'\n', &mut line)
        .map_err(|error| not_read(&error))?;
    let assignment = Assignment::parse(&line).map_err(|error| not_read(&error))?;
    thread::spawn(move || {
        let mut rest = [0_u8; 512];
        while stdin.read(&mut rest).is_ok_and(|read| read > 0) {}
        std::process::exit(ORPHANED);
    });
    Ok(assignment)
}

fn stdout_reporter() -> Reporter {
    let out = Arc::new(Mutex::new(io::stdout()));
    let reporter = Reporter::new(move |message| {
        let Ok(mut line) = serde_json::to_vec(&message) else {
            return;
        };
        line.push(b'\n');
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        // A closed pipe means that the scheduler is gone; the thread on stdin ends the process.
        let _ = out.write_all(&line).and_then(|()| out.flush());
    });
    let heart = reporter.clone();
    thread::spawn(move || {
        loop {
            thread::sleep(HEARTBEAT);
            heart.send(Message::Heartbeat);
        }
    });
    reporter
}

fn no_runtime(error: io::Error) -> OperatorError {
    OperatorError::retry(
        "worker.runtime",
        format!("the worker could not start: {error}"),
        "Check process limits.",
    )
}
