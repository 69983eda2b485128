//! What `with:` of `retrieve` holds, and the rows that it writes.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinloom_sdk::OperatorError;

/// Configuration of `retrieve`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Questions to answer.
    pub queries: Vec<String>,
    /// Queries taken from the chunks themselves, one sentence of a chunk each, for which the right document is known.
    #[schemars(range(max = 10_000))]
    pub self_queries: usize,
    /// Chunks a query.
    #[schemars(range(min = 1, max = 1000))]
    pub k: usize,
    /// Collection of the vector index to search; without it the chunks are compared one by one, exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// Folder of the embedder, in the Hugging Face layout; the one of `embed` without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Folder of a cross-encoder, or its name on the hub: it reads each query together with its `candidates` nearest
    /// chunks, and the `k` that it scores highest are the hits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reranker: Option<String>,
    /// Chunks a query that the reranker reads; at least `k`.
    #[schemars(range(min = 1, max = 1000))]
    pub candidates: usize,
    /// `auto`, `cpu`, `cuda` or `cuda:N`.
    pub device: String,
    /// Self-queries that must find their document among the first `k`, as a share; fewer is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_recall: Option<f64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            queries: Vec::new(),
            self_queries: 50,
            k: 5,
            collection: None,
            model: None,
            reranker: None,
            candidates: 50,
            device: "auto".to_owned(),
            min_recall: None,
        }
    }
}

impl Config {
    /// Chunks a query that are searched for.
    #[must_use]
    pub fn searched(&self) -> usize {
        if self.reranker.is_some() {
            self.candidates
        } else {
            self.k
        }
    }

    /// Checks the bounds that the schema states.
    ///
    /// # Errors
    /// `retrieve.config`, naming the key.
    pub fn check(&self) -> Result<(), OperatorError> {
        let bounds: [(&str, bool, &str); 5] = [
            ("k", (1..=1000).contains(&self.k), "1 to 1000"),
            (
                "candidates",
                self.reranker.is_none() || (self.k..=1000).contains(&self.candidates),
                "at least `k`, and at most 1000",
            ),
            ("self_queries", self.self_queries <= 10_000, "0 to 10000"),
            (
                "min_recall",
                self.min_recall.is_none_or(|share| (0.0..=1.0).contains(&share)),
                "0 to 1",
            ),
            (
                "queries",
                self.self_queries > 0 || !self.queries.is_empty(),
                "a list of questions",
            ),
        ];
        match bounds.into_iter().find(|(_, holds, _)| !holds) {
            None => Ok(()),
            Some((key, _, bounds)) => Err(OperatorError::config(
                "retrieve.config",
                format!("`{key}` is out of its bounds"),
                format!("Set `{key}` to {bounds}."),
            )),
        }
    }
}

/// Rows of `hits`: keys `query`, `rank` (from 1); `score` is the cosine, or the reranker's; `expected` is the document that a self-query
/// was taken from.
#[must_use]
pub fn hits() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("query", DataType::Utf8, false),
        Field::new("rank", DataType::Int32, false),
        Field::new("document_id", DataType::Utf8, false),
        Field::new("chunk", DataType::Int32, false),
        Field::new("score", DataType::Float32, false),
        Field::new("title", DataType::Utf8, true),
        Field::new("link", DataType::Utf8, true),
        Field::new("text", DataType::Utf8, false),
        Field::new("expected", DataType::Utf8, true),
    ]))
}
