//! The worker protocol: a task as one JSON line on stdin, messages as JSON lines on stdout.
//!
//! stdin stays open while the task runs; its end tells the worker that the scheduler is gone. Any program in any
//! language that follows this is an operator's worker.

use std::{collections::BTreeMap, path::PathBuf};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use twinloom_store::{ArtifactKind, Name, StagedDataset, StagedModel, StoreLocation, VersionId};

use crate::{ApprovalRequest, Decision, OperatorError, Secrets};

/// Version of the protocol; a worker refuses another.
pub const PROTOCOL: u32 = 1;

/// All that a worker needs to run one attempt of a task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskDocument {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Run id.
    pub run: String,
    /// DAG name.
    pub dag: String,
    /// Task id in the run.
    pub task: String,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Operator name.
    pub operator: String,
    /// Resolved configuration; values `secret:NAME` are references, and never the values.
    pub config: Value,
    /// blake3 of the resolved configuration, in hex.
    pub config_hash: String,
    /// Inputs by port, several where the port takes many.
    pub inputs: IndexMap<String, Vec<ArtifactId>>,
    /// Output ports and the names they publish.
    pub outputs: IndexMap<String, OutputTarget>,
    /// Where the feature store is.
    pub store: StoreLocation,
    /// Folder of embedded vector collections.
    pub vectors: PathBuf,
    /// A folder of this attempt's own, deleted after it.
    pub work_dir: PathBuf,
    /// The engine's time at the start of the attempt.
    pub now: Timestamp,
    /// Seed for all randomness; the same for every attempt of a task.
    pub seed: u64,
    /// Revision of the project's code, where known.
    #[serde(default)]
    pub code_revision: Option<String>,
    /// A person's decision, when the task had asked for one.
    #[serde(default)]
    pub decision: Option<Decision>,
    /// Metrics of the tasks it depends on, by step.
    #[serde(default)]
    pub upstream_metrics: BTreeMap<String, Map<String, Value>>,
}

/// What a worker is handed: a task, and beside it the values of the secrets that its configuration refers to.
///
/// On the wire they are the task document's key `secrets`. They are kept apart here, because a task document is shown,
/// stored and handed on.
#[derive(Debug, Clone, Serialize)]
pub struct Assignment {
    /// The task.
    #[serde(flatten)]
    pub task: TaskDocument,
    /// Values by name.
    #[serde(skip_serializing_if = "Secrets::is_empty")]
    pub secrets: Secrets,
}

impl Assignment {
    /// Reads a line of the protocol.
    ///
    /// # Errors
    /// Where it is no task document.
    pub fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Beside {
            #[serde(default)]
            secrets: Secrets,
        }
        let Beside { secrets } = serde_json::from_slice(line)?;
        let task = serde_json::from_slice(line)?;
        Ok(Self { task, secrets })
    }
}

impl From<TaskDocument> for Assignment {
    fn from(task: TaskDocument) -> Self {
        Self {
            task,
            secrets: Secrets::default(),
        }
    }
}

/// An exact artifact.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ArtifactId {
    /// Dataset or model.
    pub kind: ArtifactKind,
    /// Its name, version and content hash.
    #[serde(flatten)]
    pub id: VersionId,
}

/// What an output port publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputTarget {
    /// Dataset or model.
    pub kind: ArtifactKind,
    /// The name to publish under.
    pub name: Name,
}

/// A line from a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// A line of the task's log.
    Log {
        /// How serious it is.
        level: Level,
        /// The text, one line or several.
        message: String,
    },
    /// How far the task is.
    Progress {
        /// Units done.
        done: u64,
        /// Units in all, where known.
        #[serde(default)]
        total: Option<u64>,
        /// `documents`, `steps`, `bytes`.
        unit: String,
    },
    /// A point of a curve, or a single figure where there is no step.
    Metric {
        /// Its name.
        name: String,
        /// Its value.
        value: f64,
        /// The training step or other abscissa.
        #[serde(default)]
        step: Option<u64>,
    },
    /// The worker lives.
    Heartbeat,
    /// A staged artifact, for the engine to commit once the task has succeeded.
    Output {
        /// The output port.
        port: String,
        /// What was staged.
        artifact: Box<Staged>,
    },
    /// The task succeeded. The last message.
    Result {
        /// Summary figures, readable as `steps.<name>.metrics.<key>`.
        metrics: Map<String, Value>,
        /// Aliases to move, with the outputs.
        #[serde(default)]
        aliases: Vec<AliasMove>,
    },
    /// The task needs a person's decision. The last message.
    Wait {
        /// What is asked.
        request: ApprovalRequest,
    },
    /// The task failed. The last message.
    Error {
        /// Why.
        #[serde(flatten)]
        error: OperatorError,
    },
}

/// Severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For developers.
    Debug,
    /// For people who follow along.
    Info,
    /// Something to look at.
    Warn,
    /// Something that failed.
    Error,
}

/// A staged artifact of either kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Staged {
    /// Rows.
    Dataset(StagedDataset),
    /// Files.
    Model(StagedModel),
}

/// A request to point an alias of a model at a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasMove {
    /// The model.
    pub model: Name,
    /// `production`, `candidate`, `accepted`.
    pub alias: String,
    /// The version to point at.
    pub version: u64,
    /// Who is behind it.
    pub by: String,
    /// Why.
    pub reason: String,
}
