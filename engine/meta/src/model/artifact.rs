//! What tasks published, and the index of the feature store.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ArtifactKind;

/// An output of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRow {
    /// The run.
    pub run: String,
    /// The task.
    pub task: String,
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

/// A dataset version in the index. The store's manifest is the truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetIndexRow {
    /// The dataset's name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// Hash of its content.
    pub hash: String,
    /// The version before it.
    pub parent: Option<u64>,
    /// Rows.
    pub rows: u64,
    /// Bytes of Parquet.
    pub bytes: u64,
    /// `{"added", "changed", "removed"}` against the parent.
    pub changes: Option<Value>,
    /// The run that made it; none for an import.
    pub run: Option<String>,
    /// The task that made it.
    pub task: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

/// A model version in the index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelIndexRow {
    /// The model's name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// Hash of its content.
    pub hash: String,
    /// `name@version` of the model that it sits on.
    pub base: Option<String>,
    /// Figures.
    pub metrics: Value,
    /// The run that made it.
    pub run: Option<String>,
    /// The task that made it.
    pub task: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

/// Where an alias of a model or a tag of a dataset points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasIndexRow {
    /// Dataset (a tag) or model (an alias).
    pub kind: ArtifactKind,
    /// The dataset's or model's name.
    pub name: String,
    /// `production`.
    pub alias: String,
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

/// How much the index holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexTotals {
    /// Datasets.
    pub datasets: u64,
    /// Versions of datasets.
    pub dataset_versions: u64,
    /// Bytes that the newest version of each dataset refers to; bytes shared by two datasets count twice.
    pub latest_bytes: u64,
    /// Models.
    pub models: u64,
    /// Versions of models.
    pub model_versions: u64,
}

/// What names a row of the index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum IndexKey {
    /// A version.
    Version {
        /// Of a dataset or a model.
        kind: ArtifactKind,
        /// Its name.
        name: String,
        /// Its number.
        version: u64,
    },
    /// A tag or an alias.
    Label {
        /// Of a dataset (a tag) or a model (an alias).
        kind: ArtifactKind,
        /// Its name.
        name: String,
        /// The tag or alias.
        label: String,
    },
}

/// Rows of the index, as a walk over the store finds them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Index {
    /// Dataset versions.
    pub datasets: Vec<DatasetIndexRow>,
    /// Model versions.
    pub models: Vec<ModelIndexRow>,
    /// Tags and aliases.
    pub aliases: Vec<AliasIndexRow>,
}
