//! What lists are asked for, and the rows that only lists have.

use jiff::Timestamp;
use serde_json::Value;

use super::TaskState;

/// Which events to list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of this kind; `run.*` is all that start with `run.`.
    pub kind: Option<String>,
    /// Whose subject starts with this.
    pub subject: Option<String>,
    /// Before this one: the cursor of the next page.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u64,
}

/// A task of one of many runs, without its configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskCell {
    /// The run.
    pub run: String,
    /// The task.
    pub id: String,
    /// Place in the plan.
    pub position: i64,
    /// The step.
    pub step: String,
    /// The operator.
    pub operator: String,
    /// Where it stands.
    pub state: TaskState,
    /// The last attempt.
    pub attempt: u32,
    /// Its figures.
    pub metrics: Option<Value>,
    /// When it could have started.
    pub queued_at: Option<Timestamp>,
    /// When its last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}
