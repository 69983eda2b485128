//! What goes into a collection and comes out of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::VersionId;

/// A vector with what is told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VectorRecord {
    /// Unique in the collection: `document_id#chunk`.
    pub id: String,
    /// What it is deleted by: `document_id`.
    pub entity: String,
    /// The vector, of any length but zero; stored at unit length.
    pub vector: Vec<f32>,
    /// A JSON object: title, link, category, author, text, start, end.
    pub payload: Value,
}

/// A record that a search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// The record's id.
    pub id: String,
    /// Its entity.
    pub entity: String,
    /// Cosine similarity to the query, -1 to 1.
    pub score: f32,
    /// Its payload.
    pub payload: Value,
}

/// Which records a search looks at: each list that is not empty must hold the record's value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Values of the payload field `category`.
    #[serde(default)]
    pub category: Vec<String>,
    /// Values of the payload field `author`.
    #[serde(default)]
    pub author: Vec<String>,
    /// Entities (document ids).
    #[serde(default)]
    pub document: Vec<String>,
}

/// How similarity is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Cosine of the angle.
    #[default]
    Cosine,
}

/// What a collection holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexState {
    /// `embedded`, `qdrant`.
    pub backend: String,
    /// The dataset version that it reflects; none where it is new.
    pub source: Option<VersionId>,
    /// Records in it.
    pub count: u64,
    /// Length of its vectors; 0 while it is empty.
    pub dimension: usize,
    /// How similarity is measured.
    pub metric: Metric,
}
