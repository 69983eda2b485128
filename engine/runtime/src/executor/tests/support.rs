//! Scripts as workers.

use std::{ffi::OsString, fs, path::Path, time::Duration};

use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use twinloom_sdk::{Message, TaskDocument};

use crate::executor::{AttemptEnd, Executor, Limits, ProcessExecutor, Programs};

/// A last word.
pub const DONE: &str = r#"{"type":"result","metrics":{"rows":3}}"#;

pub fn task() -> TaskDocument {
    serde_json::from_value(json!({
        "protocol": 1,
        "run": format!("run-{}", ulid::Ulid::generate()),
        "dag": "test",
        "task": "step[a b=1]",
        "attempt": 1,
        "operator": "noop",
        "config": {"text": "x\ny"},
        "config_hash": "00",
        "inputs": {},
        "outputs": {},
        "store": {"url": "memory:///", "options": {}},
        "vectors": "/nonexistent",
        "work_dir": "/nonexistent",
        "now": "2026-01-01T00:00:00Z",
        "seed": 7,
    }))
    .unwrap()
}

pub fn programs(argv: &[&str]) -> Programs {
    Programs {
        worker: argv.iter().map(OsString::from).collect(),
        torch: None,
    }
}

/// Patience that tests can wait for.
pub fn executor(argv: &[&str]) -> ProcessExecutor {
    ProcessExecutor::new(programs(argv)).with_patience(Duration::from_secs(20), Duration::from_millis(300))
}

pub fn shell(script: &str) -> ProcessExecutor {
    executor(&["/bin/sh", "-c", script])
}

pub fn python(script: &str) -> ProcessExecutor {
    executor(&["python3", "-c", script])
}

pub async fn run(executor: &impl Executor, limits: Limits) -> (AttemptEnd, Vec<Message>) {
    run_task(executor, task(), limits, CancellationToken::new()).await
}

pub async fn run_task(
    executor: &impl Executor,
    task: TaskDocument,
    limits: Limits,
    cancel: CancellationToken,
) -> (AttemptEnd, Vec<Message>) {
    let (sender, mut receiver) = mpsc::channel(16);
    let collect = tokio::spawn(async move {
        let mut messages = Vec::new();
        while let Some(message) = receiver.recv().await {
            messages.push(message);
        }
        messages
    });
    let end = executor.execute(task.into(), limits, sender, cancel).await;
    (end, collect.await.unwrap())
}

pub fn logs(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .filter_map(|message| match message {
            Message::Log { message, .. } => Some(message.as_str()),
            _ => None,
        })
        .collect()
}

/// Whether the process lives; a zombie does not.
pub fn lives(pid: i32) -> bool {
    crate::executor::orphan::process_of(u32::try_from(pid).unwrap()).is_some()
}

/// Waits for a file with a number in it.
pub async fn number_in(path: &Path) -> i32 {
    for _ in 0..1_000 {
        if let Some(number) = fs::read_to_string(path).ok().filter(|text| text.ends_with('\n')) {
            return number.trim().parse().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} was not written", path.display());
}

/// Waits until the process is gone.
pub async fn gone(pid: i32) -> bool {
    for _ in 0..500 {
        if !lives(pid) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}
