//! What the writers and commits take and give.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use arrow::datatypes::SchemaRef;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{InputVersion, Name, Producer, VersionId};

/// A dataset about to be written.
#[derive(Debug, Clone)]
pub struct StageDataset {
    /// The name to publish under.
    pub name: Name,
    /// Its columns. Empty means "as the files say" for an import.
    pub schema: SchemaRef,
    /// Key columns; the first is the entity key and is text. None: rows are kept in the order of writing.
    pub keys: Vec<String>,
    /// Who makes it.
    pub producer: Producer,
    /// What it is made from.
    pub inputs: Vec<InputVersion>,
}

/// A model about to be written.
#[derive(Debug, Clone)]
pub struct StageModel {
    /// The name to register under.
    pub name: Name,
    /// The model that an adapter sits on.
    pub base: Option<VersionId>,
    /// Method, architecture, hyper-parameters.
    pub config: Value,
    /// The card, in Markdown.
    pub card: String,
    /// Figures at the end of training.
    pub metrics: BTreeMap<String, Value>,
    /// Who makes it.
    pub producer: Producer,
    /// What it is made from.
    pub inputs: Vec<InputVersion>,
}

/// Who commits, and when.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The task's key: a version that already carries it is adopted. None: always a new version, unless the content
    /// is that of the latest.
    pub task_key: Option<String>,
    /// How far back a version with this task key may be; without it the last 64 versions are looked through.
    pub not_before: Option<Timestamp>,
    /// The time to write into the manifest.
    pub now: Timestamp,
}

/// The version that stands after a commit.
#[derive(Debug, Clone)]
pub struct Committed<M> {
    /// Its manifest.
    pub manifest: Arc<M>,
    /// How it came about.
    pub outcome: CommitOutcome,
}

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitOutcome {
    /// A version was made.
    New,
    /// The latest version has this very content already.
    Unchanged,
    /// An earlier attempt of the same task had made the version.
    Adopted,
}

/// What to read of a dataset version.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// These columns alone, in the schema's order; all where `None`.
    pub columns: Option<Vec<String>>,
    /// At most so many rows.
    pub limit: Option<usize>,
    /// Rows in a batch; chosen by the rows' size where `None`.
    pub batch_size: Option<usize>,
    /// Rows of these entities alone; buckets without one of them are not opened.
    pub entities: Option<Arc<HashSet<String>>>,
}

/// Entity keys that differ between two versions, each list sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// Only in the newer.
    pub added: Vec<String>,
    /// In both, with other rows.
    pub changed: Vec<String>,
    /// Only in the older.
    pub removed: Vec<String>,
}

impl Diff {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}
