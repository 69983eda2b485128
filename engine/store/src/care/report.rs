//! What care reports.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ArtifactKind, Name, Producer, VersionId};

/// How far a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct VerifyProgress {
    /// Blobs hashed.
    pub done: u64,
    /// Blobs in all.
    pub total: u64,
    /// Bytes hashed.
    pub bytes: u64,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Versions whose manifests were read.
    pub versions: u64,
    /// Distinct blobs that they need.
    pub blobs: u64,
    /// Bytes hashed.
    pub bytes: u64,
    /// Damage, by artifact and version. Empty: all is well.
    pub problems: Vec<Problem>,
}

/// One damage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What it is.
    pub kind: ProblemKind,
    /// The version that is affected: `dataset articles@3`.
    pub owner: String,
    /// The object: blob or manifest path.
    pub path: String,
    /// How it shows.
    pub detail: String,
}

/// Kinds of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// A blob is gone.
    Missing,
    /// A blob's bytes are others.
    Corrupt,
    /// A manifest or label cannot be read.
    BadManifest,
}

/// A version of a dataset or model: kind, name and number.
pub type VersionKey = (ArtifactKind, Name, u64);

/// What garbage collection may do.
#[derive(Debug, Clone)]
pub struct GcOptions {
    /// Report only.
    pub dry_run: bool,
    /// The present time, against which ages are taken.
    pub now: Timestamp,
    /// Nothing younger than this is removed: it may belong to a task that has not committed yet.
    pub grace: Duration,
    /// Versions to keep of every dataset, the newest ones; all where `None`. Kept anyhow are versions with a label (or that
    /// a label pointed at before), pinned and young ones; all that the models were made from which have an alias, are
    /// pinned, young, or among as many newest of their name; datasets that were made from a model with an alias (its
    /// evaluation); and what the newest version of each dataset was made from. Model versions stay.
    pub keep_versions: Option<u64>,
    /// The same for single datasets and models by name, before the general rule.
    pub keep_by_name: BTreeMap<Name, u64>,
    /// What somebody else needs: what runs that have not ended have made and were given.
    pub pinned: HashSet<VersionKey>,
}

impl GcOptions {
    /// Keeps every version, with a grace of a day.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let grace = Duration::from_secs(24 * 60 * 60);
        Self {
            dry_run: false,
            now,
            grace,
            keep_versions: None,
            keep_by_name: BTreeMap::new(),
            pinned: HashSet::new(),
        }
    }
}

/// What garbage collection did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcReport {
    /// Whether it only looked.
    pub dry_run: bool,
    /// Versions that retention took away, `articles@3`. Their blobs go after the grace period, at a later collection.
    pub retired: Vec<String>,
    /// The same, for the index.
    #[serde(skip)]
    pub retired_versions: Vec<VersionKey>,
    /// Blobs that are kept.
    pub kept_blobs: u64,
    /// Blobs removed.
    pub removed_blobs: u64,
    /// Bytes of them.
    pub removed_bytes: u64,
    /// Blobs that nothing keeps but that are too young.
    pub young_blobs: u64,
    /// Remains of crashed writes removed.
    pub removed_temporary: u64,
}

/// Where a version comes from and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lineage {
    /// The version asked for, as in the nodes.
    pub root: String,
    /// All versions reached, the root among them.
    pub nodes: Vec<LineageNode>,
    /// Which was made from which.
    pub edges: Vec<LineageEdge>,
}

/// A version in a lineage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineageNode {
    /// `dataset:articles@3`, `model:twin@1`.
    pub key: String,
    /// Dataset or model.
    pub kind: ArtifactKind,
    /// The version.
    pub id: VersionId,
    /// When it was committed; unknown where its manifest is gone.
    pub created_at: Option<Timestamp>,
    /// Who made it; unknown likewise.
    pub producer: Option<Producer>,
}

/// One version made from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LineageEdge {
    /// The node it was made from.
    pub from: String,
    /// The node that was made.
    pub to: String,
    /// The input port, or `base` for an adapter's base model.
    pub port: String,
}
