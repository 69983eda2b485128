//! Prompt monitoring, first cut: one JSON line a prompt in `<home>/traces/prompts.jsonl`.

use std::{fs::OpenOptions, io::Write, path::Path};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use twinloom_store::VersionId;

use crate::{Citation, GatewayError};

/// What was asked, of whom, on what grounds, and what came back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trace {
    /// When it was asked.
    pub at: Timestamp,
    /// The model version that answered.
    pub model: VersionId,
    /// The question.
    pub question: String,
    /// The messages as the model got them.
    pub messages: Vec<Value>,
    /// What was retrieved.
    pub citations: Vec<Citation>,
    /// The answer.
    pub answer: String,
    /// Tokens generated.
    pub new_tokens: u64,
    /// Milliseconds for retrieval (the question's embedding and the search).
    pub retrieval_ms: u64,
    /// Milliseconds for generation.
    pub generation_ms: u64,
}

impl Trace {
    /// Appends it; a line is written in one call, so that concurrent ones do not mix.
    ///
    /// # Errors
    /// [`GatewayError::File`].
    pub fn append(&self, home: &Path) -> Result<(), GatewayError> {
        let path = home.join("traces").join("prompts.jsonl");
        let failed = |source| GatewayError::File {
            path: path.clone(),
            source,
        };
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(failed)?;
        }
        let mut line = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(failed)?;
        file.write_all(&line).map_err(failed)
    }
}
