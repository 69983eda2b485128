//! States and kinds as the API's document lists them, and small types that many resources share.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The same words as another crate's, with a schema.
macro_rules! mirror {
    ($(#[$doc:meta])* $name:ident of $other:ty { $($(#[$vdoc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }
        impl From<$other> for $name {
            fn from(other: $other) -> Self {
                match other { $(<$other>::$variant => Self::$variant),+ }
            }
        }
        impl From<$name> for $other {
            fn from(own: $name) -> Self {
                match own { $($name::$variant => Self::$variant),+ }
            }
        }
    };
}

mirror! {
    /// Where a run stands.
    RunState of twinloom_meta::RunState {
        /// Waits for a place among the runs of its DAG.
        Queued,
        /// Tasks run or may run.
        Running,
        /// Only a person's decision moves it.
        Waiting,
        /// Every task ended well or was skipped.
        Succeeded,
        /// A task failed.
        Failed,
        /// Stopped on request.
        Cancelled,
        /// Not run, because its DAG was busy.
        Skipped,
    }
}

mirror! {
    /// Where a task stands.
    TaskState of twinloom_meta::TaskState {
        /// Waits for what it needs, or for its next attempt.
        Pending,
        /// May start as soon as there is a slot.
        Queued,
        /// An attempt is under way.
        Running,
        /// Waits for a person; holds no worker.
        Waiting,
        /// Done.
        Succeeded,
        /// An earlier result stood in.
        Cached,
        /// Gave up.
        Failed,
        /// Stopped on request.
        Cancelled,
        /// Its condition was false.
        Skipped,
        /// Something that it needs did not end well.
        UpstreamFailed,
    }
}

mirror! {
    /// Dataset or model.
    ArtifactKind of twinloom_meta::ArtifactKind {
        /// Rows in Parquet.
        Dataset,
        /// Named files.
        Model,
    }
}

mirror! {
    /// Severity of a log line.
    Level of twinloom_sdk::Level {
        /// For developers.
        Debug,
        /// For people who follow along.
        Info,
        /// Something to look at.
        Warn,
        /// Something that failed.
        Error,
    }
}

impl From<twinloom_store::ArtifactKind> for ArtifactKind {
    fn from(kind: twinloom_store::ArtifactKind) -> Self {
        match kind {
            twinloom_store::ArtifactKind::Dataset => Self::Dataset,
            twinloom_store::ArtifactKind::Model => Self::Model,
        }
    }
}

/// Why a run or a task failed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Failure {
    /// `retry`, `config`, `data`, `bug`: who has to act.
    pub kind: Option<String>,
    /// Stable and dotted.
    pub code: Option<String>,
    /// What happened.
    pub message: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// The task that failed first, of a run.
    pub task: Option<String>,
}

impl Failure {
    /// Reads what the database holds; fields that are no text are left out.
    pub fn of(value: Option<&Value>) -> Option<Self> {
        let value = value?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            kind: text("kind"),
            code: text("code"),
            message: text("message").or_else(|| value.as_str().map(str::to_owned)),
            hint: text("hint"),
            task: text("task"),
        })
    }
}

/// What started a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Cause {
    /// `manual`, `schedule`, `datasets`, `models`, `runs`, `webhook`, `queue`, `backfill`.
    pub kind: String,
    /// The person, where there is one.
    pub by: Option<String>,
    /// Everything that is known.
    #[schema(value_type = Object)]
    pub detail: Map<String, Value>,
}

impl Cause {
    /// Reads what the database holds.
    pub fn of(value: &Value) -> Self {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        Self {
            kind: text("kind").unwrap_or_else(|| "unknown".to_owned()),
            by: text("by"),
            detail: object(value),
        }
    }
}

/// The version's maker.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Producer {
    /// The run; empty for an import.
    pub run: String,
    /// The task in the run.
    pub task: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The operator.
    pub operator: String,
    /// Its version.
    pub operator_version: String,
    /// Hash of its configuration.
    pub config_hash: String,
    /// Revision of the code, where known.
    pub code_revision: Option<String>,
}

impl From<&twinloom_store::Producer> for Producer {
    fn from(other: &twinloom_store::Producer) -> Self {
        Self {
            run: other.run.clone(),
            task: other.task.clone(),
            attempt: other.attempt,
            operator: other.operator.clone(),
            operator_version: other.operator_version.clone(),
            config_hash: other.config_hash.clone(),
            code_revision: other.code_revision.clone(),
        }
    }
}

/// An exact version that something was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Input {
    /// The input port.
    pub port: String,
    /// Dataset or model.
    pub kind: ArtifactKind,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// Hash of its content.
    pub hash: String,
}

impl From<&twinloom_store::InputVersion> for Input {
    fn from(other: &twinloom_store::InputVersion) -> Self {
        Self {
            port: other.port.clone(),
            kind: other.kind.into(),
            name: other.id.name.to_string(),
            version: other.id.version,
            hash: other.id.hash.clone(),
        }
    }
}

/// A tag of a dataset or an alias of a model.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LabelItem {
    /// The tag or alias: `production`.
    pub label: String,
    /// The version that it points at.
    pub version: u64,
    /// Where it pointed before.
    pub previous: Option<u64>,
    /// Who moved it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub moved_at: Timestamp,
}

impl From<twinloom_meta::AliasIndexRow> for LabelItem {
    fn from(row: twinloom_meta::AliasIndexRow) -> Self {
        Self {
            label: row.alias,
            version: row.version,
            previous: row.previous,
            by: row.by,
            reason: row.reason,
            moved_at: row.moved_at,
        }
    }
}

/// Entities that differ from the version before.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
pub struct Changes {
    /// New ones.
    pub added: u64,
    /// Those whose rows differ.
    pub changed: u64,
    /// Those that are gone.
    pub removed: u64,
}

impl From<twinloom_store::ChangeSummary> for Changes {
    fn from(other: twinloom_store::ChangeSummary) -> Self {
        Self {
            added: other.added,
            changed: other.changed,
            removed: other.removed,
        }
    }
}

/// Something wrong in a file, with its place.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DiagnosticItem {
    /// Stable code.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// First byte of the place.
    pub start: usize,
    /// The byte after it.
    pub end: usize,
    /// `file:line:column`, message, the line and a caret, as the command line shows it.
    pub rendered: String,
}

impl From<&twinloom_spec::Diagnostic> for DiagnosticItem {
    fn from(other: &twinloom_spec::Diagnostic) -> Self {
        Self {
            code: other.code.to_owned(),
            message: other.message.clone(),
            hint: other.hint.clone(),
            file: other.file.clone(),
            line: other.line,
            column: other.column,
            start: other.span.start,
            end: other.span.end,
            rendered: twinloom_spec::Diagnostics(vec![other.clone()]).render(false),
        }
    }
}

/// A value that ought to be an object, as one.
pub fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// What a write did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Done {
    /// Always true: an error is a problem document.
    pub done: bool,
}

impl Done {
    /// It is done.
    pub const DONE: Self = Self { done: true };
}
