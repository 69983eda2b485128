//! Tasks of a run and their attempts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Field, TaskState};

/// A task: a step in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskRow {
    /// The run.
    pub run: String,
    /// Unique in the run: `train[rank=8]`.
    pub id: String,
    /// Place in the plan, from 0; lists are in this order.
    pub position: u32,
    /// The step that it comes from.
    pub step: String,
    /// The operator's name.
    pub operator: String,
    /// Where it stands.
    pub state: TaskState,
    /// The last attempt; 0 before the first.
    pub attempt: u32,
    /// Resolved configuration, once it has started.
    pub config: Option<Value>,
    /// What an equal task would be found by.
    pub cache_key: Option<String>,
    /// Summary figures.
    pub metrics: Option<Value>,
    /// Why it failed: `{"kind", "code", "message", "hint"}`.
    pub error: Option<Value>,
    /// Why it was skipped, cached, or what it waits for.
    pub reason: Option<String>,
    /// When it could have started.
    pub queued_at: Option<Timestamp>,
    /// When its last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When it is tried again.
    pub next_attempt_at: Option<Timestamp>,
}

impl TaskRow {
    /// A pending task without history.
    #[must_use]
    pub fn new(run: &str, id: &str, position: u32, step: &str, operator: &str) -> Self {
        Self {
            run: run.to_owned(),
            id: id.to_owned(),
            position,
            step: step.to_owned(),
            operator: operator.to_owned(),
            state: TaskState::Pending,
            attempt: 0,
            config: None,
            cache_key: None,
            metrics: None,
            error: None,
            reason: None,
            queued_at: None,
            started_at: None,
            ended_at: None,
            next_attempt_at: None,
        }
    }
}

/// A change of a task; fields as in [`TaskRow`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskUpdate {
    /// The run.
    pub run: String,
    /// The task.
    pub id: String,
    /// Where it stands now.
    pub state: Option<TaskState>,
    /// The last attempt.
    pub attempt: Option<u32>,
    /// Resolved configuration.
    pub config: Field<Value>,
    /// What an equal task would be found by.
    pub cache_key: Field<String>,
    /// Summary figures.
    pub metrics: Field<Value>,
    /// Why it failed.
    pub error: Field<Value>,
    /// Why it was skipped, cached, or what it waits for.
    pub reason: Field<String>,
    /// When it could have started.
    pub queued_at: Field<Timestamp>,
    /// When its last attempt started.
    pub started_at: Field<Timestamp>,
    /// When it ended.
    pub ended_at: Field<Timestamp>,
    /// When it is tried again.
    pub next_attempt_at: Field<Timestamp>,
}

impl TaskUpdate {
    /// A change of state; add the rest with `..`.
    #[must_use]
    pub fn state(run: &str, id: &str, state: TaskState) -> Self {
        Self {
            run: run.to_owned(),
            id: id.to_owned(),
            state: Some(state),
            ..Self::default()
        }
    }
}

/// An attempt of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptRow {
    /// The run.
    pub run: String,
    /// The task.
    pub task: String,
    /// From 1.
    pub attempt: u32,
    /// The worker's process id, where it has one of its own.
    pub pid: Option<i64>,
    /// Its process group.
    pub pgid: Option<i64>,
    /// Tells the process from a later one with the same id (boot id and start time).
    pub process: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// `succeeded`, `failed`, `timed_out`, `cancelled`, `crashed`, `lost`.
    pub outcome: Option<String>,
    /// Why it failed.
    pub error: Option<Value>,
}

/// The process of an attempt, once it is spawned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptProcess {
    /// The run.
    pub run: String,
    /// The task.
    pub task: String,
    /// Which attempt.
    pub attempt: u32,
    /// Its process id.
    pub pid: i64,
    /// Its process group.
    pub pgid: i64,
    /// Boot id and start time.
    pub process: Option<String>,
}

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptClose {
    /// The run.
    pub run: String,
    /// The task.
    pub task: String,
    /// Which attempt.
    pub attempt: u32,
    /// When.
    pub ended_at: Timestamp,
    /// As in [`AttemptRow`].
    pub outcome: String,
    /// Why it failed.
    pub error: Option<Value>,
}

/// A point of a curve, or a figure without a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricPoint {
    /// The run.
    pub run: String,
    /// The task.
    pub task: String,
    /// `train_loss`.
    pub name: String,
    /// The training step or other abscissa.
    pub step: Option<i64>,
    /// To 15 digits. NaN is kept; infinities come back as the largest finite values.
    pub value: f64,
    /// When.
    pub at: Timestamp,
}

/// The points of one name of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricSeries {
    /// The task.
    pub task: String,
    /// `train_loss`.
    pub name: String,
    /// How many there are.
    pub points: u64,
    /// The last step; none where points have no step.
    pub last_step: Option<i64>,
}

/// An earlier result that may stand in for an equal task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CacheRow {
    /// The cache key.
    pub key: String,
    /// Exact artifacts by output port, as JSON.
    pub outputs: Value,
    /// Summary figures.
    pub metrics: Value,
    /// The run that made it.
    pub run: String,
    /// The task that made it.
    pub task: String,
    /// When.
    pub at: Timestamp,
}
