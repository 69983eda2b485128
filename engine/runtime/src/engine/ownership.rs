//! Going on with runs of processes that are gone, and running again what failed.

use std::{collections::HashMap, fs, sync::Arc};

use serde_json::json;
use twinloom_meta::{AttemptClose, AttemptRow, AuditRow, Change, RunFilter, RunRow, RunState, TaskState};
use twinloom_spec::Plan;

use super::Engine;
use crate::{
    EngineError, RunId, answers,
    dispatcher::{LEASE, Run, graph::Graph, run::Task},
    executor, failpoint, logs,
    owner::Owner,
};

/// Outcomes of attempts that count against the limit of retries.
const FAILURES: &[&str] = &["failed", "timed_out", "crashed"];

/// Runs read at a time when looking for interrupted ones.
const PAGE: u64 = 200;

impl Engine {
    /// Goes on with a run whose process is gone, or which waited when its process ended. Its workers that live on are
    /// ended; tasks that were under way start again and adopt what they had committed.
    ///
    /// # Errors
    /// `run.owned` when its process lives, `run.ended`, `meta.not_found`.
    pub async fn resume(&self, run: &str) -> Result<(), EngineError> {
        let row = self.shared.config.meta.run(run).await?;
        if row.state.ended() {
            return Err(EngineError::Ended {
                run: row.id,
                state: row.state.to_string(),
            });
        }
        if self.holds(&row.id).await? {
            return Ok(());
        }
        let (row, epoch) = self.claim(row).await?;
        let run = self.load(row, epoch, |_| false).await?;
        self.take_on(run).await
    }

    /// Goes on with every run whose process is gone: what a scheduler does when it starts. Runs that cannot be taken
    /// over are left alone.
    ///
    /// # Errors
    /// What the database says.
    pub async fn recover(&self) -> Result<Vec<RunId>, EngineError> {
        let mut filter = RunFilter {
            states: RunState::OPEN.to_vec(),
            limit: PAGE,
            ..RunFilter::default()
        };
        let mut open = Vec::new();
        loop {
            let page = self.shared.config.meta.runs(&filter).await?;
            let full = page.len() as u64 == PAGE;
            filter.before = page.last().map(|run| run.id.clone());
            open.extend(page.into_iter().map(|run| run.id));
            if !full {
                break;
            }
        }
        let mut resumed = Vec::new();
        // The oldest first, so that runs of one DAG keep their order.
        for id in open.into_iter().rev() {
            if self.holds(&id).await? {
                continue;
            }
            match self.resume(&id).await {
                Ok(()) => resumed.push(id),
                Err(EngineError::Owned { .. } | EngineError::Ended { .. }) => {}
                Err(error) => tracing::warn!(run = id, %error, "a run could not be resumed"),
            }
        }
        Ok(resumed)
    }

    /// Runs again what failed or was stopped in a run that has ended, and what depended on it; or, with `from`, that
    /// task (or every task of that step) and everything downstream of it. `by` is who asks, for the audit log.
    ///
    /// # Errors
    /// `run.not_ended`, `run.unknown_task`, `run.nothing_to_retry`, `meta.not_found`.
    pub async fn retry(&self, run: &str, from: Option<&str>, by: &str) -> Result<(), EngineError> {
        let row = self.shared.config.meta.run(run).await?;
        if !row.state.ended() {
            return Err(EngineError::NotEnded {
                run: row.id,
                state: row.state.to_string(),
            });
        }
        let plan = plan_of(&row)?;
        let graph = Graph::of(&plan)?;
        let states: Vec<_> = self
            .shared
            .config
            .meta
            .tasks(&row.id)
            .await?
            .into_iter()
            .map(|task| task.state)
            .collect();
        let again = match from {
            Some(from) => {
                let named = |task: &&twinloom_spec::PlannedTask| task.id == from || task.step == from;
                let places: Vec<_> = plan
                    .tasks
                    .iter()
                    .filter(named)
                    .filter_map(|task| graph.index_of(&task.id))
                    .collect();
                if places.is_empty() {
                    let known: Vec<_> = plan.tasks.iter().take(20).map(|task| task.id.as_str()).collect();
                    let (task, known) = (from.to_owned(), known.join(", "));
                    return Err(EngineError::UnknownTask {
                        run: row.id,
                        task,
                        known,
                    });
                }
                places
                    .into_iter()
                    .flat_map(|place| graph.downstream(place))
                    .collect()
            }
            None => {
                let open = |(_, state): &(usize, &TaskState)| {
                    !matches!(
                        state,
                        TaskState::Succeeded | TaskState::Cached | TaskState::Skipped
                    )
                };
                let mut places: std::collections::HashSet<usize> = std::collections::HashSet::new();
                for (place, _) in states.iter().enumerate().filter(open) {
                    if places.insert(place) {
                        // A task that was skipped because of one that runs again is judged again.
                        places.extend(graph.downstream(place));
                    }
                }
                places
            }
        };
        if again.is_empty() {
            return Err(EngineError::NothingToRetry { run: row.id });
        }
        let (row, epoch) = self.claim(row).await?;
        let id = row.id.clone();
        let fresh = |index: usize| {
            from.is_some_and(|from| plan.tasks[index].id == from || plan.tasks[index].step == from)
        };
        let mut run = self.load(row, epoch, |index| again.contains(&index)).await?;
        for index in 0..run.tasks.len() {
            run.tasks[index].fresh |= fresh(index);
            if again.contains(&index) {
                // Failures of the past do not count against what is asked for now.
                run.tasks[index].failures = 0;
            }
        }
        let at = self.shared.now();
        run.changes.push(Change::Audit(AuditRow {
            at,
            by: by.to_owned(),
            action: "retry".to_owned(),
            subject: id,
            detail: json!({ "from": from }),
        }));
        self.take_on(run).await
    }

    /// Makes the run this engine's, unless its process lives.
    async fn claim(&self, row: RunRow) -> Result<(RunRow, i64), EngineError> {
        let now = self.shared.now();
        if let Some(text) = row.owner.as_deref().filter(|_| !row.state.ended())
            && let Some(owner) = Owner::parse(text)
            && row.lease_until.is_some()
            && owner.is_alive(row.lease_until, now)
        {
            return Err(EngineError::Owned {
                run: row.id,
                owner: text.to_owned(),
            });
        }
        let until = now.checked_add(LEASE).unwrap_or(now);
        let meta = &self.shared.config.meta;
        match meta
            .claim_run(&row.id, &self.shared.owner.to_string(), row.epoch, until)
            .await?
        {
            Some(epoch) => {
                self.shared.leased(until);
                failpoint::hit(failpoint::CLAIMED);
                Ok((row, epoch))
            }
            None => {
                let owner = meta.run(&row.id).await?.owner.unwrap_or_default();
                Err(EngineError::Owned { run: row.id, owner })
            }
        }
    }

    /// Puts a claimed run together from its rows. Tasks that were under way, and those that `again` names, are pending.
    async fn load(
        &self,
        mut row: RunRow,
        epoch: i64,
        again: impl Fn(usize) -> bool,
    ) -> Result<Run, EngineError> {
        let meta = &self.shared.config.meta;
        let plan = plan_of(&row)?;
        self.check_operators(&plan)?;
        let graph = Graph::of(&plan)?;
        let mut artifacts = grouped(meta.artifacts(&row.id).await?, |artifact| artifact.task.clone());
        let attempts = grouped(meta.attempts(&row.id, None).await?, |attempt| {
            attempt.task.clone()
        });
        let mut approvals = grouped(meta.open_approvals(Some(&row.id)).await?, |approval| {
            approval.task.clone()
        });
        let now = self.shared.now();
        let mut changes = Vec::new();
        let mut tasks = Vec::with_capacity(plan.tasks.len());
        let mut moved = Vec::new();
        for (index, task_row) in meta.tasks(&row.id).await?.into_iter().enumerate() {
            let mut task = Task::new(task_row);
            let empty = Vec::new();
            let past = attempts.get(&task.row.id).unwrap_or(&empty);
            changes.extend(
                past.iter()
                    .filter(|attempt| attempt.ended_at.is_none())
                    .map(|attempt| lost(attempt, now)),
            );
            let count = |words: &[&str]| {
                let counted = past
                    .iter()
                    .filter(|attempt| attempt.outcome.as_deref().is_some_and(|o| words.contains(&o)));
                u32::try_from(counted.count()).unwrap_or(u32::MAX)
            };
            task.failures = count(FAILURES);
            task.generation = count(&["succeeded"]);
            // An attempt may be stored whose task row was not: its number is not used twice.
            let last = past
                .iter()
                .map(|attempt| attempt.attempt)
                .max()
                .unwrap_or_default();
            task.row.attempt = task.row.attempt.max(last);
            let approval = approvals.remove(&task.row.id).and_then(|mut rows| rows.pop());
            if again(index) {
                reset(&mut task);
                // An answer of then does not count for a question of now.
                task.row.queued_at = None;
                moved.push(index);
            } else if task.row.state == TaskState::Waiting && approval.is_some() {
                task.approval = approval;
            } else if !task.row.state.ended() {
                let asked = past
                    .iter()
                    .any(|attempt| attempt.outcome.as_deref() == Some("waiting"));
                if let Some(queued_at) = task.row.queued_at.filter(|_| asked) {
                    let mut given = meta.decisions(&row.id).await?;
                    given.retain(|answer| answer.task == task.row.id && answer.at >= queued_at);
                    // The question is closed: what was given was enough.
                    task.decision = answers::verdict(1, &given);
                    task.fresh = task.decision.is_some();
                }
                if task.row.state != TaskState::Pending {
                    reset(&mut task);
                    moved.push(index);
                }
            }
            if task.row.state.ended() {
                task.outputs = artifacts.remove(&task.row.id).unwrap_or_default();
            }
            tasks.push(task);
        }
        for attempt in attempts
            .values()
            .flatten()
            .filter(|attempt| attempt.ended_at.is_none())
        {
            self.end_orphan(attempt).await;
        }
        row.state = if row.state == RunState::Queued {
            RunState::Queued
        } else {
            RunState::Running
        };
        row.error = None;
        let mut run = Run::new(row, epoch, Arc::new(plan), Arc::new(graph), tasks, false);
        run.changes = changes;
        for index in moved {
            run.update(index, |_| {});
        }
        Ok(run)
    }

    /// A worker may have outlived its scheduler for a moment; it is gone before its task starts again.
    async fn end_orphan(&self, attempt: &AttemptRow) {
        let folder = crate::dispatcher::attempt::work_dir(
            &self.shared.config.home,
            &attempt.run,
            &attempt.task,
            attempt.attempt,
        );
        executor::kill_orphan(attempt).await;
        if let Err(error) = fs::remove_dir_all(&folder)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(task = logs::slug(&attempt.task), %error, "a working folder was not removed");
        }
    }
}

/// The plan that a run was submitted with.
pub(crate) fn plan_of(row: &RunRow) -> Result<Plan, EngineError> {
    serde_json::from_value(row.plan.clone()).map_err(|error| EngineError::StoredPlan {
        run: row.id.clone(),
        reason: error.to_string(),
    })
}

/// Back to where it was before it was looked at; its attempts keep their numbers.
fn reset(task: &mut Task) {
    task.row.state = TaskState::Pending;
    (task.row.reason, task.row.next_attempt_at) = (None, None);
    (task.row.started_at, task.row.ended_at) = (None, None);
}

fn lost(attempt: &AttemptRow, ended_at: jiff::Timestamp) -> Change {
    Change::EndAttempt(AttemptClose {
        run: attempt.run.clone(),
        task: attempt.task.clone(),
        attempt: attempt.attempt,
        ended_at,
        outcome: "lost".to_owned(),
        error: None,
    })
}

fn grouped<T>(rows: Vec<T>, key: impl Fn(&T) -> String) -> HashMap<String, Vec<T>> {
    let mut map: HashMap<String, Vec<T>> = HashMap::new();
    for row in rows {
        map.entry(key(&row)).or_default().push(row);
    }
    map
}
