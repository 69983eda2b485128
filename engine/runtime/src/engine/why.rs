//! Why a run or a task stands where it stands.

use std::fmt::Write;

use twinloom_meta::{EventRow, RunRow, RunState, TaskRow, TaskState};

use super::Engine;
use crate::{EngineError, Why, owner::Owner};

/// Events looked through for those of the run.
const MOST_EVENTS: u64 = 10_000;

impl Engine {
    /// Explains a run, or one of its tasks, in words, with the events of the run.
    ///
    /// # Errors
    /// `meta.not_found`, `run.unknown_task`.
    pub async fn why(&self, run: &str, task: Option<&str>) -> Result<Why, EngineError> {
        let meta = &self.shared.config.meta;
        let row = meta.run(run).await?;
        let tasks = meta.tasks(&row.id).await?;
        let text = match task {
            None => self.why_run(&row, &tasks),
            Some(name) => {
                let Some(found) = tasks.iter().find(|task| task.id == name || task.step == name) else {
                    let known: Vec<_> = tasks.iter().take(20).map(|task| task.id.as_str()).collect();
                    let (task, known) = (name.to_owned(), known.join(", "));
                    return Err(EngineError::UnknownTask {
                        run: row.id,
                        task,
                        known,
                    });
                };
                self.why_task(&row, found, &tasks).await?
            }
        };
        Ok(Why {
            text,
            events: self.events_of(&row).await?,
        })
    }

    fn why_run(&self, row: &RunRow, tasks: &[TaskRow]) -> String {
        let mut text = format!("Run {} of `{}` is {}.", row.id, row.dag, row.state);
        let trigger = row
            .trigger
            .get("kind")
            .and_then(|kind| kind.as_str())
            .unwrap_or("unknown");
        let by = row.trigger.get("by").and_then(|by| by.as_str());
        let _ = write!(text, "\nIt was asked for at {:.0} ({trigger}", row.created_at);
        let _ = write!(
            text,
            "{}).",
            by.map(|by| format!(", by {by}")).unwrap_or_default()
        );
        let part = |key: &str| row.error.as_ref().and_then(|error| error.get(key)?.as_str());
        if let Some(message) = part("message") {
            let code = part("task_code").map(|code| format!(" ({code})"));
            let _ = write!(
                text,
                "\nReason: {}{}.",
                message.trim_end_matches('.'),
                code.unwrap_or_default()
            );
        }
        if let Some(hint) = part("hint").filter(|hint| !hint.is_empty()) {
            let _ = write!(text, "\nWhat to do: {hint}");
        }
        let owner = row.owner.as_deref().and_then(Owner::parse);
        let alive = owner.is_some_and(|owner| owner.is_alive(row.lease_until, self.shared.now()));
        match row.state {
            RunState::Queued => text.push_str("\nIt waits for a place among the runs of its DAG."),
            RunState::Running | RunState::Waiting if !alive || row.lease_until.is_none() => {
                text.push_str("\nNo process runs it: `twinloom run --resume RUN` goes on with it.");
            }
            _ => {}
        }
        for task in tasks
            .iter()
            .filter(|task| task.state != TaskState::Succeeded)
            .take(50)
        {
            let _ = write!(text, "\n`{}` is {}{}", task.id, task.state, words(task));
        }
        text
    }

    async fn why_task(&self, run: &RunRow, task: &TaskRow, tasks: &[TaskRow]) -> Result<String, EngineError> {
        let mut text = format!(
            "Task `{}` of run {} is {}{}",
            task.id,
            run.id,
            task.state,
            words(task)
        );
        if matches!(
            task.state,
            TaskState::Pending | TaskState::Queued | TaskState::UpstreamFailed
        ) {
            let plan: twinloom_spec::Plan =
                serde_json::from_value(run.plan.clone()).map_err(|error| EngineError::StoredPlan {
                    run: run.id.clone(),
                    reason: error.to_string(),
                })?;
            let needs = plan
                .tasks
                .iter()
                .find(|planned| planned.id == task.id)
                .map(|planned| &planned.needs);
            let open = tasks.iter().filter(|other| {
                needs.is_some_and(|needs| needs.contains(&other.id)) && !other.state.succeeded()
            });
            for other in open.take(50) {
                let _ = write!(
                    text,
                    "\nIt needs `{}`, which is {}{}",
                    other.id,
                    other.state,
                    words(other)
                );
            }
        }
        if task.state == TaskState::Queued && task.reason.is_none() {
            text.push_str("\nEverything it needs is there: it starts with the next free slot.");
        }
        for attempt in self.shared.config.meta.attempts(&run.id, Some(&task.id)).await? {
            let outcome = attempt.outcome.as_deref().unwrap_or("under way");
            let message = attempt
                .error
                .as_ref()
                .and_then(|error| error.get("message")?.as_str());
            let message = message.map(|message| format!(": {message}")).unwrap_or_default();
            let _ = write!(
                text,
                "\nAttempt {} at {:.0}: {outcome}{message}.",
                attempt.attempt, attempt.started_at
            );
        }
        Ok(text)
    }

    async fn events_of(&self, run: &RunRow) -> Result<Vec<EventRow>, EngineError> {
        let meta = &self.shared.config.meta;
        let from = (meta.last_event().await? - i64::try_from(MOST_EVENTS).unwrap_or(i64::MAX)).max(0);
        let of_run = |event: &EventRow| {
            event.subject == run.id
                || event.subject.starts_with(&format!("{}/", run.id))
                || event.payload.get("run").and_then(|id| id.as_str()) == Some(run.id.as_str())
        };
        Ok(meta
            .events_after(from, MOST_EVENTS)
            .await?
            .into_iter()
            .filter(of_run)
            .collect())
    }
}

/// The reason and the error of a task, as the end of a sentence.
fn words(task: &TaskRow) -> String {
    let error = task
        .error
        .as_ref()
        .and_then(|error| error.get("message")?.as_str());
    match (task.reason.as_deref(), error) {
        (Some(reason), Some(error)) => format!(": {reason}; the last error was: {error}."),
        (Some(words), None) | (None, Some(words)) => format!(": {words}."),
        (None, None) => ".".to_owned(),
    }
}
