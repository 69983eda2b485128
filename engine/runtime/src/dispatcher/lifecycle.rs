//! Runs: taken on, queued, stopped, over.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use twinloom_meta::{AuditRow, Change, NewEvent, RunState, TaskState, event};
use twinloom_sdk::Decision;
use twinloom_spec::WhenBusy;

use super::{
    Core, Dispatcher, Run, RunKey,
    run::{Phase, Waiter},
};
use crate::{EngineError, RunSummary, WaitFor, failpoint, writer::After};

/// Characters of an error that are said again of its run.
const LONGEST_REASON: usize = 2000;

type Answer<T> = oneshot::Sender<Result<T, EngineError>>;

impl Dispatcher {
    /// A run is this engine's from now on.
    pub fn take_on(&mut self, mut run: Run, reply: Answer<()>) {
        if self.runs.contains_key(&run.key) || self.core.stopping.is_some() {
            let _ = reply.send(Err(EngineError::Stopped { reason: None }));
            return;
        }
        for (name, size) in &run.plan.pools {
            self.core.slots.learn(name, *size);
        }
        run.after.push(After::FailPoint(failpoint::RUN_INSERTED));
        run.after.push(After::Reply(reply));
        let concurrency = run.plan.concurrency;
        let dag = run.head.dag.clone();
        let busy = concurrency
            .max_runs
            .is_some_and(|most| self.active_of(&dag).len() >= most as usize);
        // Only a new run waits for its turn: one that goes on had it already.
        let new = run.insert.is_some() || run.head.state == RunState::Queued;
        match concurrency.when_busy {
            _ if !busy || !new => self.core.begin(&mut run),
            WhenBusy::Skip => self.core.skip(&mut run),
            when => {
                if when == WhenBusy::Cancel
                    && let Some(oldest) = self.active_of(&dag).into_iter().min()
                {
                    let (unheard, _) = oneshot::channel();
                    self.cancel(
                        &oldest,
                        "scheduler",
                        "a newer run of the DAG was asked for",
                        unheard,
                    );
                }
                run.update_head(|head| head.state = RunState::Queued);
                self.core
                    .queued
                    .entry(dag)
                    .or_default()
                    .push_back(Arc::clone(&run.key));
            }
        }
        self.core.touch(&run.key);
        self.runs.insert(Arc::clone(&run.key), run);
    }

    /// A run's state is committed: whoever waited for it is told.
    pub fn state_stands(&mut self, key: &RunKey, epoch: i64, state: RunState) {
        let Some(run) = self.runs.get_mut(key).filter(|run| run.epoch == epoch) else {
            return;
        };
        run.stands = Some(state);
        let waits = run.rests();
        let told = |waiter: &mut Waiter| state.ended() || (waits && waiter.until == WaitFor::EndedOrWaiting);
        let waiters: Vec<Waiter> = run.waiters.extract_if(.., told).collect();
        if !waiters.is_empty() {
            let summary = run.summary();
            for waiter in waiters {
                let _ = waiter.reply.send(Ok(Some(summary.clone())));
            }
        }
        if state.ended() {
            let dag = run.head.dag.clone();
            self.runs.remove(key);
            self.core.slots.forget(key);
            self.next_of(&dag);
        }
    }

    /// A run was taken over by another process, or cannot be written any more.
    pub fn lost(&mut self, key: &RunKey, reason: &str) {
        let Some(run) = self.runs.remove(key) else { return };
        self.core.slots.forget(key);
        for task in &run.tasks {
            if let Some(cancel) = &task.cancel {
                cancel.cancel();
                // Its end will find no run, so the slot of its pool is given back here.
            }
        }
        let running = run
            .tasks
            .iter()
            .zip(&run.plan.tasks)
            .filter(|(task, _)| task.phase == Phase::Running);
        for (_, planned) in running {
            self.core.slots.give_back_pool(planned.pool.as_deref());
        }
        for waiter in run.waiters {
            let _ = waiter.reply.send(Err(EngineError::Stopped {
                reason: Some(reason.to_owned()),
            }));
        }
        self.next_of(&run.head.dag);
    }

    /// Someone waits for a run.
    pub fn wait(&mut self, key: &str, until: WaitFor, reply: Answer<Option<RunSummary>>) {
        let Some(run) = self.runs.get_mut(key) else {
            let _ = reply.send(Ok(None));
            return;
        };
        if until == WaitFor::EndedOrWaiting && run.rests() {
            let _ = reply.send(Ok(Some(run.summary())));
        } else {
            run.waiters.push(Waiter { until, reply });
        }
    }

    /// Someone has decided about a task of a run that is here; it is stored already.
    pub fn decide(&mut self, key: &str, task: &str, decision: Decision) {
        let Some(run) = self.runs.get_mut(key) else { return };
        let Some(index) = run.index_of(task) else { return };
        self.core.decided(run, index, decision);
        self.core.touch(&run.key);
    }

    /// Stops a run.
    pub fn cancel(&mut self, key: &str, by: &str, reason: &str, reply: Answer<()>) {
        let Some(run) = self.runs.get_mut(key) else {
            let _ = reply.send(Err(EngineError::Stopped {
                reason: Some("the run is not here any more".to_owned()),
            }));
            return;
        };
        run.after.push(After::Reply(reply));
        self.core.touched.insert(Arc::clone(&run.key));
        if std::mem::replace(&mut run.cancelling, true) {
            return;
        }
        if let Some(queue) = self.core.queued.get_mut(&run.head.dag) {
            queue.retain(|queued| **queued != *key);
        }
        let now = self.core.shared.now();
        let detail = json!({ "reason": reason });
        let message = if reason.is_empty() {
            format!("cancelled by {by}")
        } else {
            format!("cancelled by {by}: {reason}")
        };
        run.changes.push(Change::Audit(AuditRow {
            at: now,
            by: by.to_owned(),
            action: "cancel".to_owned(),
            subject: run.key.to_string(),
            detail,
        }));
        let error = json!({ "code": "run.cancelled", "message": message });
        run.update_head(|head| head.error = Some(error));
        for index in 0..run.tasks.len() {
            match run.tasks[index].phase {
                Phase::Ended | Phase::Publishing => {}
                Phase::Running => run.tasks[index]
                    .cancel
                    .iter()
                    .for_each(tokio_util::sync::CancellationToken::cancel),
                phase => {
                    if phase == Phase::Waiting {
                        run.tasks[index].approval = None;
                        let row = &run.tasks[index].row;
                        let (run_id, task, outcome) =
                            (row.run.clone(), row.id.clone(), "cancelled".to_owned());
                        run.changes.push(Change::CloseApproval {
                            run: run_id,
                            task,
                            at: now,
                            outcome,
                        });
                    }
                    self.core
                        .end(run, index, TaskState::Cancelled, Some(message.clone()));
                }
            }
        }
    }

    fn active_of(&self, dag: &str) -> Vec<RunKey> {
        let active = |run: &&Run| {
            run.head.dag == dag && matches!(run.head.state, RunState::Running | RunState::Waiting)
        };
        self.runs
            .values()
            .filter(active)
            .map(|run| Arc::clone(&run.key))
            .collect()
    }

    /// A place among the runs of a DAG is free.
    fn next_of(&mut self, dag: &str) {
        while let Some(key) = self.core.queued.get(dag).and_then(|queue| queue.front().cloned()) {
            let most = self.runs.get(&key).and_then(|run| run.plan.concurrency.max_runs);
            if most.is_some_and(|most| self.active_of(dag).len() >= most as usize) {
                return;
            }
            self.core
                .queued
                .get_mut(dag)
                .and_then(std::collections::VecDeque::pop_front);
            if let Some(run) = self.runs.get_mut(&key) {
                self.core.begin(run);
                self.core.touch(&key);
            }
        }
        self.core.queued.remove(dag);
    }
}

impl Core {
    /// A run may go: what needs nothing, or nothing that has not ended, is looked at.
    fn begin(&mut self, run: &mut Run) {
        let now = self.shared.now();
        let first = run.head.started_at.is_none();
        run.update_head(|head| {
            head.state = RunState::Running;
            head.started_at.get_or_insert(now);
            if head.ended_at.take().is_some() {
                // It runs again: why it had ended is over.
                head.error = None;
            }
        });
        if first {
            self.run_event(run, event::RUN_STARTED);
        }
        run.unblocked.extend(
            run.indices(Phase::Blocked)
                .into_iter()
                .filter(|index| run.tasks[*index].open_needs == 0),
        );
        for index in run.indices(Phase::Waiting) {
            self.wait_for_answer(run, index);
        }
        if run.has_waiting() {
            self.poll.now();
        }
        self.settle(run);
    }

    /// A run is not to run, because its DAG is busy.
    fn skip(&mut self, run: &mut Run) {
        let now = self.shared.now();
        let message = format!("not run because another run of `{}` was active", run.head.dag);
        for index in 0..run.tasks.len() {
            self.end(run, index, TaskState::Skipped, Some(message.clone()));
        }
        run.update_head(|head| {
            head.state = RunState::Skipped;
            head.ended_at = Some(now);
            head.error = Some(json!({ "code": "run.busy", "message": message }));
        });
        self.run_event(run, event::RUN_ENDED);
    }

    /// Where the run stands by its tasks.
    pub fn conclude(&mut self, run: &mut Run) {
        if run.head.state.ended() || (run.head.state == RunState::Queued && !run.cancelling) {
            return;
        }
        let now = self.shared.now();
        if run.all_ended() {
            let has = |wanted: &[TaskState]| run.tasks.iter().any(|task| wanted.contains(&task.row.state));
            let failed = first_failure(run);
            let state = match &failed {
                _ if run.cancelling => RunState::Cancelled,
                Some(_) => RunState::Failed,
                None if has(&[TaskState::Cancelled]) => RunState::Cancelled,
                None if has(&[TaskState::UpstreamFailed]) => RunState::Failed,
                None => RunState::Succeeded,
            };
            run.update_head(|head| {
                head.state = state;
                head.ended_at = Some(now);
                if state == RunState::Failed {
                    head.error = failed;
                }
            });
            self.run_event(run, event::RUN_ENDED);
            run.after.push(After::FailPoint(failpoint::RUN_ENDED));
            return;
        }
        let state = if run.only_waits() {
            RunState::Waiting
        } else {
            RunState::Running
        };
        if run.head.state != state {
            run.update_head(|head| head.state = state);
        }
    }

    fn run_event(&mut self, run: &mut Run, kind: &str) {
        let (subject, at) = (run.head.id.clone(), self.shared.now());
        let mut payload =
            json!({ "dag": run.head.dag, "state": run.head.state, "trigger": run.head.trigger });
        // Whoever hears of the end hears why, without asking again.
        if let Some(error) = run.head.error.as_ref().filter(|_| kind == event::RUN_ENDED) {
            payload["error"] = error.clone();
        }
        run.changes.push(Change::Event(NewEvent {
            kind: kind.to_owned(),
            subject,
            payload,
            at,
        }));
    }
}

/// Why a run failed: the task that failed first, with the code and the hint of its error.
fn first_failure(run: &Run) -> Option<Value> {
    let failed = run
        .tasks
        .iter()
        .map(|task| &task.row)
        .filter(|row| row.state == TaskState::Failed);
    let first = failed.min_by_key(|row| row.ended_at)?;
    let part = |key: &str| {
        let text = first.error.as_ref().and_then(|error| error.get(key)?.as_str());
        brief(text.unwrap_or_default())
    };
    Some(json!({
        "code": "run.task_failed",
        "message": format!("`{}` failed: {}", first.id, part("message")),
        "hint": part("hint"),
        "task": first.id,
        "task_code": part("code"),
    }))
}

/// The start of a text that goes to many places; the task's own error and its log have all of it.
fn brief(text: &str) -> String {
    match text.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
