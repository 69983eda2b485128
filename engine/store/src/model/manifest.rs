//! What a version says of itself. The manifest files are these types as JSON, readable for ever.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::names::{Name, VersionId};

/// The manifest format that this build writes. Every older one stays readable.
pub const FORMAT: u32 = 1;

/// An artifact is one of two kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactKind {
    /// Rows in Parquet.
    Dataset,
    /// Named files: weights, adapter, tokenizer, card.
    Model,
}

/// A content-addressed object below `blobs/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlobRef {
    /// blake3 of the bytes, in hex.
    pub hash: String,
    /// Size in bytes.
    pub bytes: u64,
    /// File name extension without the dot: `parquet`, `safetensors`, `json`.
    pub ext: String,
}

/// One Parquet file of a dataset version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The file.
    pub blob: BlobRef,
    /// Rows in it.
    pub rows: u64,
    /// Key-hash bucket that all its rows fall in (datasets with key columns).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u32>,
    /// Smallest and largest entity key in the part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_range: Option<(String, String)>,
    /// Distinct entity keys in it (datasets with key columns).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entities: Option<u64>,
    /// Statistics of its columns, in the schema's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<PartColumn>,
}

/// Statistics of one column in one part: nulls, smallest, largest. Numbers, times and booleans are kept raw, text is cut
/// to 32 characters; types without an order have neither.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartColumn(pub u64, pub Value, pub Value);

/// Statistics of a column over the whole version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnStats {
    /// Null values.
    pub nulls: u64,
    /// Smallest value, in display form; text is cut to 32 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// Largest value, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
}

/// Entities (distinct first-key values; rows where there is no key) that differ from the parent version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSummary {
    /// New ones.
    pub added: u64,
    /// Those whose rows differ.
    pub changed: u64,
    /// Those that are gone.
    pub removed: u64,
}

/// Who made a version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producer {
    /// The run's id; empty for an import.
    pub run: String,
    /// The task's id in the run.
    pub task: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The operator's name.
    pub operator: String,
    /// The operator's version.
    pub operator_version: String,
    /// blake3 of the resolved configuration, in hex.
    pub config_hash: String,
    /// Revision of the code, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_revision: Option<String>,
}

/// An input that a version was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputVersion {
    /// The operator's input port.
    pub port: String,
    /// Dataset or model.
    pub kind: ArtifactKind,
    /// The exact version.
    #[serde(flatten)]
    pub id: VersionId,
}

/// A dataset whose blobs are written and which nothing can see yet; committing it makes a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StagedDataset {
    /// The dataset's name.
    pub name: Name,
    /// Arrow schema as [`crate::schema_to_json`] writes it (`name`, `type`, `nullable`, `metadata`).
    pub schema: Value,
    /// Key columns; the first is the entity key, by which rows are bucketed, compared and merged.
    pub keys: Vec<String>,
    /// Number of key-hash buckets, a power of two; 0 without keys.
    pub buckets: u32,
    /// The parts, by bucket or in order of writing.
    pub parts: Vec<Part>,
    /// Rows in all.
    pub rows: u64,
    /// Bytes of Parquet in all.
    pub bytes: u64,
    /// Bytes of blobs that were not in the store before this staging.
    pub bytes_written: u64,
    /// blake3 over schema, keys and parts, in hex.
    pub content_hash: String,
    /// Column statistics, by column.
    pub columns: IndexMap<String, ColumnStats>,
    /// The version that this was computed against, for a delta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<u64>,
    /// Difference to `base`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<ChangeSummary>,
    /// Who made it.
    pub producer: Producer,
    /// What it was made from.
    pub inputs: Vec<InputVersion>,
    /// Figures of this version, for triggers and people.
    #[serde(default)]
    pub metrics: BTreeMap<String, Value>,
    /// Named checks and whether they held.
    #[serde(default)]
    pub checks: BTreeMap<String, bool>,
}

/// A dataset version: the content of `datasets/<name>/versions/<12 digits>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetManifest {
    /// [`FORMAT`] at the time of writing.
    pub format: u32,
    /// Version number, from 1.
    pub version: u64,
    /// The version before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u64>,
    /// When it was committed.
    pub created_at: Timestamp,
    /// The task that committed it; a retried task adopts the version that carries its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_key: Option<String>,
    /// Random mark of the commit, by which a publisher knows its own manifest after a lost answer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub nonce: String,
    /// The content.
    #[serde(flatten)]
    pub data: StagedDataset,
}

impl DatasetManifest {
    /// Name, number and content hash.
    #[must_use]
    pub fn id(&self) -> VersionId {
        VersionId {
            name: self.data.name.clone(),
            version: self.version,
            hash: self.data.content_hash.clone(),
        }
    }
}

/// A model whose files are written and which nothing can see yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StagedModel {
    /// The model's name.
    pub name: Name,
    /// Its files by relative path: `adapter_model.safetensors`, `tokenizer.json`, `README.md`.
    pub files: BTreeMap<String, BlobRef>,
    /// The model that an adapter sits on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<VersionId>,
    /// What the maker wants known: method, architecture, hyper-parameters.
    pub config: Value,
    /// blake3 over the files, base and config, in hex.
    pub content_hash: String,
    /// Figures at the end of training or evaluation.
    #[serde(default)]
    pub metrics: BTreeMap<String, Value>,
    /// The card, in Markdown.
    pub card: String,
    /// Who made it.
    pub producer: Producer,
    /// The exact dataset and model versions it was made from.
    pub inputs: Vec<InputVersion>,
}

/// A model version: the content of `models/<name>/versions/<12 digits>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelManifest {
    /// [`FORMAT`] at the time of writing.
    pub format: u32,
    /// Version number, from 1.
    pub version: u64,
    /// When it was committed.
    pub created_at: Timestamp,
    /// The task that committed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_key: Option<String>,
    /// Random mark of the commit, by which a publisher knows its own manifest after a lost answer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub nonce: String,
    /// The content.
    #[serde(flatten)]
    pub data: StagedModel,
}

impl ModelManifest {
    /// Name, number and content hash.
    #[must_use]
    pub fn id(&self) -> VersionId {
        VersionId {
            name: self.data.name.clone(),
            version: self.version,
            hash: self.data.content_hash.clone(),
        }
    }
}

/// Where a label points: a tag of a dataset or an alias of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The version it points at.
    pub version: u64,
    /// When it was last moved.
    pub moved_at: Timestamp,
    /// Who moved it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Where it pointed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<u64>,
}
