//! The end of an attempt, and what becomes of its task.

use std::sync::Arc;

use twinloom_meta::{AttemptClose, AttemptProcess, CacheRow, Change, TaskState};
use twinloom_sdk::{Done, ErrorKind, OperatorError, Outcome};

use super::{Core, Run, TaskRef, backoff, run::Phase, timers::Timer};
use crate::{
    executor::AttemptEnd,
    failpoint,
    prepare::CachedOutput,
    publish::{self, Published},
    writer::After,
};

/// An attempt has a process; it is written down so that it can be ended even when this scheduler is gone.
pub fn spawned(run: &mut Run, index: usize, attempt: u32, pid: u32, pgid: u32, process: Option<String>) {
    let row = &run.tasks[index].row;
    let (pid, pgid) = (i64::from(pid), i64::from(pgid));
    let change = AttemptProcess {
        run: row.run.clone(),
        task: row.id.clone(),
        attempt,
        pid,
        pgid,
        process,
    };
    run.changes.push(Change::AttemptProcess(change));
}

impl Core {
    /// An attempt has ended; its slot is free already.
    pub fn attempt_ended(&mut self, run: &mut Run, index: usize, attempt: u32, end: AttemptEnd) {
        let task = &mut run.tasks[index];
        if task.phase != Phase::Running || task.row.attempt != attempt {
            return;
        }
        task.cancel = None;
        let (word, error) = match end {
            AttemptEnd::Finished(Ok(_)) | AttemptEnd::Cancelled if run.cancelling => {
                return self.stopped(run, index);
            }
            AttemptEnd::Finished(Ok(Outcome::Done(done)))
                if done.outputs.is_empty() && done.aliases.is_empty() =>
            {
                let Done { metrics, .. } = done;
                let (artifacts, changes) = (Vec::new(), Vec::new());
                return self.succeeded(
                    run,
                    index,
                    Published {
                        artifacts,
                        changes,
                        metrics,
                        reusable: true,
                    },
                );
            }
            AttemptEnd::Finished(Ok(Outcome::Done(done))) => return self.publish(run, index, done),
            AttemptEnd::Finished(Ok(Outcome::Wait(request))) => {
                self.close_attempt(run, index, "waiting", None);
                return self.ask(run, index, request);
            }
            AttemptEnd::Finished(Err(error)) => ("failed", error),
            AttemptEnd::TimedOut => ("timed_out", timed_out(run, index)),
            AttemptEnd::Cancelled => ("cancelled", interrupted()),
            AttemptEnd::Crashed { description } => ("crashed", crashed(&description)),
        };
        self.close_attempt(run, index, word, Some(&error));
        self.fail(run, index, &error);
    }

    /// A task's artifacts stand in the store: its success is written with them, in one transaction.
    pub fn published(
        &mut self,
        run: &mut Run,
        index: usize,
        attempt: u32,
        result: Result<Published, OperatorError>,
    ) {
        let task = &run.tasks[index];
        if task.phase != Phase::Publishing || task.row.attempt != attempt {
            return;
        }
        match result {
            Ok(published) => self.succeeded(run, index, published),
            Err(error) => {
                self.close_attempt(run, index, "failed", Some(&error));
                self.fail(run, index, &error);
            }
        }
    }

    /// A task is tried again after a while where that may help, else it has failed.
    pub fn fail(&mut self, run: &mut Run, index: usize, error: &OperatorError) {
        if run.cancelling {
            return self.end(run, index, TaskState::Cancelled, None);
        }
        let retries = run.plan.tasks[index].retries;
        let task = &mut run.tasks[index];
        task.failures += 1;
        if error.kind != ErrorKind::Retry || task.failures > retries.max {
            return self.fail_for_good(run, index, error);
        }
        let draw = format!("{}/{}", task.row.run, task.row.id);
        let delay = backoff::delay(&retries, task.failures, &draw);
        let at = self
            .shared
            .now()
            .checked_add(delay)
            .unwrap_or(jiff::Timestamp::MAX);
        let (failures, most) = (task.failures, retries.max + 1);
        let reason = format!(
            "attempt {failures} of {most} failed ({}); the next starts in {delay:.1?}",
            error.code
        );
        let value = serde_json::to_value(error).ok();
        run.set_phase(index, Phase::Delayed);
        run.update(index, |row| {
            row.state = TaskState::Pending;
            row.error = value;
            row.reason = Some(reason);
            row.next_attempt_at = Some(at);
        });
        run.after.push(After::FailPoint(failpoint::RETRY_SCHEDULED));
        let task = TaskRef {
            run: Arc::clone(&run.key),
            epoch: run.epoch,
            index,
        };
        self.timers.set(at, Timer::Retry(task));
    }

    /// The delay is over.
    pub fn retry(&mut self, run: &mut Run, index: usize) {
        if run.tasks[index].phase != Phase::Delayed {
            return;
        }
        if run.tasks[index].ready.is_some() {
            self.enqueue(run, index);
        } else {
            // It failed while it was being prepared.
            run.set_phase(index, Phase::Blocked);
            run.unblocked.push_back(index);
        }
    }

    fn stopped(&mut self, run: &mut Run, index: usize) {
        self.close_attempt(run, index, "cancelled", None);
        self.end(run, index, TaskState::Cancelled, None);
    }

    fn publish(&mut self, run: &mut Run, index: usize, done: Done) {
        let task = &run.tasks[index];
        let outputs = task
            .ready
            .as_ref()
            .map(|ready| ready.outputs.clone())
            .unwrap_or_default();
        let job = publish::Job {
            task: TaskRef {
                run: Arc::clone(&run.key),
                epoch: run.epoch,
                index,
            },
            id: task.row.id.clone(),
            attempt: task.row.attempt,
            generation: task.generation,
            not_before: run.head.created_at,
            outputs,
            done,
        };
        run.set_phase(index, Phase::Publishing);
        publish::spawn(&self.shared, job);
    }

    fn succeeded(&mut self, run: &mut Run, index: usize, published: Published) {
        let Published {
            artifacts,
            changes,
            metrics,
            reusable,
        } = published;
        self.close_attempt(run, index, "succeeded", None);
        let now = self.shared.now();
        let metrics = serde_json::Value::Object(metrics);
        let task = &mut run.tasks[index];
        if let Some(key) = task.row.cache_key.clone().filter(|_| reusable) {
            run.changes.push(Change::Cache(CacheRow {
                key,
                outputs: CachedOutput::of_rows(&artifacts),
                metrics: metrics.clone(),
                run: task.row.run.clone(),
                task: task.row.id.clone(),
                at: now,
            }));
        }
        if !artifacts.is_empty() || !changes.is_empty() {
            run.after.push(After::FailPoint(failpoint::PUBLISHED));
        }
        run.changes
            .extend(artifacts.iter().cloned().map(Change::Artifact));
        run.changes.extend(changes);
        task.outputs = artifacts;
        run.update(index, |row| row.metrics = Some(metrics));
        run.touch_result(index);
        self.end(run, index, TaskState::Succeeded, None);
    }

    fn close_attempt(&mut self, run: &mut Run, index: usize, outcome: &str, error: Option<&OperatorError>) {
        let row = &run.tasks[index].row;
        run.changes.push(Change::EndAttempt(AttemptClose {
            run: row.run.clone(),
            task: row.id.clone(),
            attempt: row.attempt,
            ended_at: self.shared.now(),
            outcome: outcome.to_owned(),
            error: error.and_then(|error| serde_json::to_value(error).ok()),
        }));
    }
}

fn timed_out(run: &Run, index: usize) -> OperatorError {
    let limit = run.plan.tasks[index].timeout.unwrap_or_default();
    let message = format!("the attempt took longer than {limit:?} and was stopped");
    OperatorError::retry(
        "task.timeout",
        message,
        "Raise the step's `timeout:`, or give it less to do.",
    )
}

fn crashed(description: &str) -> OperatorError {
    let hint =
        "Look at the task's log; where memory ran out, raise `resources.memory` or give it less to do.";
    OperatorError::retry(
        "worker.crashed",
        format!("the worker crashed: {description}"),
        hint,
    )
}

fn interrupted() -> OperatorError {
    OperatorError::retry(
        "task.interrupted",
        "the attempt was stopped from outside",
        "Nothing; it is tried again.",
    )
}
