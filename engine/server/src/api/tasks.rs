//! Tasks of runs.

use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use twinloom_meta::AttemptRow;
use twinloom_runtime::{OutputSummary, TaskSummary};
use twinloom_spec::{Plan, PlannedInput, PlannedTask};
use utoipa::ToSchema;

use super::words::{ArtifactKind, Failure, TaskState, object};
use crate::{
    http::{
        extract::{Json, Path},
        problem::{Answer, Problem},
    },
    state::Shared,
};

/// A task of a run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TaskItem {
    /// Unique in the run: `train[rank=8]`.
    pub id: String,
    /// The step that it comes from.
    pub step: String,
    /// The operator.
    pub operator: String,
    /// Where it stands.
    pub state: TaskState,
    /// Why it was cached or skipped, or what it waits for.
    pub reason: Option<String>,
    /// How often it was started.
    pub attempts: u32,
    /// When it could have started.
    pub queued_at: Option<Timestamp>,
    /// When its last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its figures.
    #[schema(value_type = Object)]
    pub metrics: Map<String, Value>,
    /// What it published or refers to.
    pub outputs: Vec<OutputItem>,
    /// Why it failed.
    pub error: Option<Failure>,
}

impl From<&TaskSummary> for TaskItem {
    fn from(task: &TaskSummary) -> Self {
        Self {
            id: task.id.clone(),
            step: task.step.clone(),
            operator: task.operator.clone(),
            state: task.state.into(),
            reason: task.reason.clone(),
            attempts: task.attempts,
            queued_at: task.queued_at,
            started_at: task.started_at,
            ended_at: task.ended_at,
            metrics: task.metrics.clone(),
            outputs: task.outputs.iter().map(OutputItem::from).collect(),
            error: Failure::of(task.error.as_ref()),
        }
    }
}

/// An artifact of a task.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OutputItem {
    /// The output port.
    pub port: String,
    /// Dataset or model.
    pub kind: ArtifactKind,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// Hash of its content.
    pub hash: String,
    /// `new`, `unchanged`, `adopted`, `cached`.
    pub outcome: String,
    /// Rows of a dataset.
    pub rows: Option<u64>,
}

impl From<&OutputSummary> for OutputItem {
    fn from(output: &OutputSummary) -> Self {
        Self {
            port: output.port.clone(),
            kind: output.kind.into(),
            name: output.name.clone(),
            version: output.version,
            hash: output.hash.clone(),
            outcome: output.outcome.clone(),
            rows: output.rows,
        }
    }
}

/// An attempt of a task.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AttemptItem {
    /// From 1.
    pub attempt: u32,
    /// The worker's process, where it has one of its own.
    pub pid: Option<i64>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// `succeeded`, `failed`, `timed_out`, `cancelled`, `crashed`, `lost`.
    pub outcome: Option<String>,
    /// Why it failed.
    pub error: Option<Failure>,
}

impl From<&AttemptRow> for AttemptItem {
    fn from(row: &AttemptRow) -> Self {
        Self {
            attempt: row.attempt,
            pid: row.pid,
            started_at: row.started_at,
            ended_at: row.ended_at,
            outcome: row.outcome.clone(),
            error: Failure::of(row.error.as_ref()),
        }
    }
}

/// What flows into an input port.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TaskInput {
    /// The port.
    pub port: String,
    /// `task`, `gather`, `select`, `dataset`, `model`.
    pub from: String,
    /// The tasks that it comes from; several where they are gathered or selected among.
    pub tasks: Vec<String>,
    /// Their output port.
    pub output: Option<String>,
    /// `name@version` of a dataset or model from outside.
    pub reference: Option<String>,
}

/// A task with all that is known of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TaskDetail {
    /// The task.
    #[serde(flatten)]
    pub task: TaskItem,
    /// Its configuration, resolved once it has started; secrets are references.
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
    /// What an equal task would be found by.
    pub cache_key: Option<String>,
    /// When it is tried again.
    pub next_attempt_at: Option<Timestamp>,
    /// Its attempts.
    pub attempt_history: Vec<AttemptItem>,
    /// What flows in.
    pub inputs: Vec<TaskInput>,
    /// The tasks that it needs.
    pub needs: Vec<String>,
    /// The tasks that need it.
    pub needed_by: Vec<String>,
    /// The matrix variant or item.
    #[schema(value_type = Object)]
    pub variant: Map<String, Value>,
    /// The pool whose slot it takes.
    pub pool: Option<String>,
    /// Its condition.
    pub condition: Option<String>,
}

/// A task of a run; its id is percent-encoded.
#[utoipa::path(get, path = "/runs/{run}/tasks/{task}", tag = "runs", operation_id = "get_task",
    params(("run" = String, Path), ("task" = String, Path)), responses((status = 200, body = TaskDetail)),
    extensions(("x-permission" = json!("read"))))]
pub async fn show(
    State(app): State<Shared>,
    Path((run, task)): Path<(String, String)>,
) -> Answer<Json<TaskDetail>> {
    let row = app.meta.run(&run).await?;
    let summary = app.engine.summary(&row.id).await?;
    let unknown = || {
        let known: Vec<_> = summary
            .tasks
            .iter()
            .take(20)
            .map(|task| task.id.as_str())
            .collect();
        Problem::not_found(
            "run.unknown_task",
            format!("run {} has no task `{task}`", row.id),
            format!("It has {}.", known.join(", ")),
        )
    };
    let item = summary
        .tasks
        .iter()
        .find(|one| one.id == task)
        .ok_or_else(unknown)?;
    let stored = app.meta.task(&row.id, &task).await?;
    let attempts = app.meta.attempts(&row.id, Some(&task)).await?;
    let plan = plan_of(&row)?;
    let planned = plan.tasks.iter().find(|one| one.id == task);
    let config = stored.config.as_ref().or(planned.map(|planned| &planned.config));
    Ok(Json(TaskDetail {
        task: TaskItem::from(item),
        config: config.map(object).unwrap_or_default(),
        cache_key: stored.cache_key,
        next_attempt_at: stored.next_attempt_at,
        attempt_history: attempts.iter().map(AttemptItem::from).collect(),
        inputs: planned.map(inputs).unwrap_or_default(),
        needs: planned.map(|planned| planned.needs.clone()).unwrap_or_default(),
        needed_by: plan
            .tasks
            .iter()
            .filter(|other| other.needs.contains(&task))
            .map(|other| other.id.clone())
            .collect(),
        variant: planned.map(|planned| planned.variant.clone()).unwrap_or_default(),
        pool: planned.and_then(|planned| planned.pool.clone()),
        condition: planned.and_then(|planned| planned.condition.clone()),
    }))
}

/// The plan that a run follows.
///
/// # Errors
/// `run.stored_plan`.
pub fn plan_of(row: &twinloom_meta::RunRow) -> Answer<Plan> {
    serde_json::from_value(row.plan.clone()).map_err(|error| {
        twinloom_runtime::EngineError::StoredPlan {
            run: row.id.clone(),
            reason: error.to_string(),
        }
        .into()
    })
}

/// What flows into a task.
pub fn inputs(task: &PlannedTask) -> Vec<TaskInput> {
    let input = |(port, input): (&String, &PlannedInput)| {
        let (from, tasks, output, reference) = match input {
            PlannedInput::Task { task, port } => ("task", vec![task.clone()], Some(port), None),
            PlannedInput::Gather { tasks, port } => ("gather", tasks.clone(), Some(port), None),
            PlannedInput::Select { variants, port, .. } => {
                let tasks = variants.iter().map(|variant| variant.task.clone()).collect();
                ("select", tasks, Some(port), None)
            }
            PlannedInput::Dataset { reference } => ("dataset", Vec::new(), None, Some(reference)),
            PlannedInput::Model { reference } => ("model", Vec::new(), None, Some(reference)),
        };
        TaskInput {
            port: port.clone(),
            from: from.to_owned(),
            tasks,
            output: output.cloned(),
            reference: reference.cloned(),
        }
    };
    task.inputs.iter().map(input).collect()
}
