//! What callers hand to the engine and what they get back. All of it is plain data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use twinloom_meta::{ArtifactKind, EventRow, RunState, TaskState};
use twinloom_sdk::{ApprovalRequest, Level};
use twinloom_spec::Plan;

/// A run's id: a ULID, so that ids sort by time.
pub type RunId = String;

/// A request for a run.
#[derive(Debug, Clone)]
pub struct Submit {
    /// What to run.
    pub plan: Plan,
    /// The DAG's file as it is, kept with the run.
    pub dag_text: String,
    /// What started it: `{"kind": "manual", "by": "ada"}`.
    pub trigger: Value,
    /// The id to use; none draws one.
    pub run_id: Option<RunId>,
}

/// A person's answer to a task that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Yes or no.
    pub approved: bool,
    /// Who.
    pub by: String,
    /// The role that they were let in with; it must be one of those that the question names. None is a caller who is
    /// trusted to say who they are, such as the command line.
    pub role: Option<String>,
    /// In their words.
    pub comment: Option<String>,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitFor {
    /// The end of the run.
    Ended,
    /// The end, or that only a person can move it on.
    EndedOrWaiting,
}

/// A run with its tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The run.
    pub id: RunId,
    /// Its DAG.
    pub dag: String,
    /// Where it stands.
    pub state: RunState,
    /// What started it.
    pub trigger: Value,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its first task was queued.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it failed or was cancelled.
    pub error: Option<Value>,
    /// Its tasks, in the plan's order.
    pub tasks: Vec<TaskSummary>,
}

/// A task of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskSummary {
    /// Unique in the run: `train[rank=8]`.
    pub id: String,
    /// The step that it comes from.
    pub step: String,
    /// The operator's name.
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
    pub metrics: Map<String, Value>,
    /// What it published or refers to.
    pub outputs: Vec<OutputSummary>,
    /// Why it failed: `{"kind", "code", "message", "hint"}`.
    pub error: Option<Value>,
    /// What a person is asked, while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Value>,
}

/// An artifact of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputSummary {
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

/// Something that happened, for whoever looks on. Not durable: the log of events in SQL is.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EngineEvent {
    /// A run moved to another state.
    Run {
        /// The run.
        run: RunId,
        /// Its DAG.
        dag: String,
        /// Where it stands now.
        state: RunState,
        /// When.
        at: Timestamp,
    },
    /// A task moved to another state.
    Task {
        /// The run.
        run: RunId,
        /// The task.
        task: String,
        /// Its step.
        step: String,
        /// Where it stands now.
        state: TaskState,
        /// The last attempt.
        attempt: u32,
        /// Why it was cached or skipped, or what it waits for.
        reason: Option<String>,
        /// Why it failed.
        error: Option<Value>,
        /// When.
        at: Timestamp,
    },
    /// A line of a task's log.
    Log {
        /// The run.
        run: RunId,
        /// The task.
        task: String,
        /// The line.
        #[serde(flatten)]
        line: LogLine,
    },
    /// How far a task is.
    Progress {
        /// The run.
        run: RunId,
        /// The task.
        task: String,
        /// Units done.
        done: u64,
        /// Units in all, where known.
        total: Option<u64>,
        /// `rows`, `steps`.
        unit: String,
    },
    /// A point of a task's curve.
    Metric {
        /// The run.
        run: RunId,
        /// The task.
        task: String,
        /// Its name.
        name: String,
        /// Its value.
        value: f64,
        /// The abscissa.
        step: Option<u64>,
    },
}

impl EngineEvent {
    /// The run that it is about.
    #[must_use]
    pub fn run(&self) -> &str {
        match self {
            Self::Run { run, .. }
            | Self::Task { run, .. }
            | Self::Log { run, .. }
            | Self::Progress { run, .. }
            | Self::Metric { run, .. } => run,
        }
    }
}

/// A line of a task's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When.
    pub time: Timestamp,
    /// Which attempt wrote it.
    pub attempt: u32,
    /// How serious it is.
    pub level: Level,
    /// The text.
    pub message: String,
}

/// Part of a task's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// The lines, each with the place after it.
    pub lines: Vec<(u64, LogLine)>,
    /// Where to go on.
    pub next: u64,
    /// Whether the file ends there for now.
    pub end: bool,
}

/// What a task would do, were the plan run now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskPreview {
    /// The task.
    pub task: String,
    /// Its step.
    pub step: String,
    /// Its operator.
    pub operator: String,
    /// What it would do.
    pub would: Would,
    /// Why.
    pub why: String,
}

/// What a task would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Would {
    /// Run.
    Run,
    /// Take an earlier result.
    Cached,
    /// Be skipped.
    Skip,
    /// That depends on what runs before it.
    Unknown,
}

/// Why a task or a run stands where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// In words, one sentence a line.
    pub text: String,
    /// Events of the run, in order.
    pub events: Vec<EventRow>,
}

/// A question that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenQuestion {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: String,
    /// What is asked, and on what evidence.
    pub request: ApprovalRequest,
    /// When it was asked.
    pub opened_at: Timestamp,
    /// When it is answered by itself.
    pub expires_at: Option<Timestamp>,
}
