//! What can be asked.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::{generate::Sampling, tokenizer::Message};

/// A request, by its `op`.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Request {
    /// Vectors of texts: `{"vectors": [[..]], "dimension", "truncated"}`.
    Embed(Embed),
    /// How well documents answer a question: `{"scores": [..], "order": [..], "truncated"}`, best first in `order`.
    Rerank(Rerank),
    /// A text: the fields of [`crate::generate::Generated`]; with `stream`, `{"delta": ..}` before it as it comes.
    Generate(Box<Generate>),
    /// Takes a generate request back: `{"cancelled": true}`, false where it is not open. The request itself fails with
    /// `model.cancelled`.
    Cancel {
        /// The `id` that it was sent with.
        request: Value,
    },
    /// What the language models do: `{"models": [{"model", "weights", ..}]}`.
    Stats,
}

/// What to embed, by which model.
#[derive(Debug, Clone, Deserialize)]
pub struct Embed {
    /// The texts.
    pub texts: Vec<String>,
    /// Folder of the embedder; that of the environment without it.
    #[serde(default)]
    pub model: Option<PathBuf>,
    /// Tokens of a text that count.
    #[serde(default)]
    pub max_length: Option<usize>,
}

/// What to order, by which model.
#[derive(Debug, Clone, Deserialize)]
pub struct Rerank {
    /// The question.
    pub query: String,
    /// The documents' texts.
    pub documents: Vec<String>,
    /// Folder of the cross-encoder, or its name on the hub.
    pub model: String,
    /// Tokens of a pair that count.
    #[serde(default)]
    pub max_length: Option<usize>,
}

/// What to write, by which model.
#[derive(Debug, Clone, Deserialize)]
pub struct Generate {
    /// Folder of the checkpoint.
    pub model: PathBuf,
    /// Folder of an adapter for it.
    #[serde(default)]
    pub adapter: Option<PathBuf>,
    /// A text to continue; or else `messages`.
    #[serde(default)]
    pub prompt: Option<String>,
    /// A conversation, to be put through the model's chat template.
    #[serde(default)]
    pub messages: Option<Vec<Message>>,
    /// Whether parts are wanted as they come.
    #[serde(default)]
    pub stream: bool,
    /// How tokens are picked.
    #[serde(flatten)]
    pub sampling: Sampling,
}
