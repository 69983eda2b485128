//! What can be asked.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Models;
use crate::{ModelError, generate::Sampling, tokenizer::Message};

/// Texts in one embed request.
const MOST_TEXTS: usize = 100_000;

/// A request, by its `op`.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Request {
    /// Vectors of texts: `{"vectors": [[..]], "dimension", "truncated"}`.
    Embed {
        /// What to embed.
        texts: Vec<String>,
        /// Folder of the embedder; that of the environment without it.
        #[serde(default)]
        model: Option<PathBuf>,
        /// Tokens of a text that count.
        #[serde(default)]
        max_length: Option<usize>,
    },
    /// A text: the fields of [`crate::generate::Generated`].
    Generate(Generate),
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
    /// How tokens are picked.
    #[serde(flatten)]
    pub sampling: Sampling,
}

impl Request {
    /// Does what is asked.
    ///
    /// # Errors
    /// What is wrong with the request or the model.
    pub fn answer(self, models: &mut Models) -> Result<Value, ModelError> {
        match self {
            Self::Embed {
                texts,
                model,
                max_length,
            } => {
                if texts.len() > MOST_TEXTS {
                    let hint = format!("Send at most {MOST_TEXTS} texts at a time.");
                    return Err(ModelError::input(
                        format!("{} texts were sent at once", texts.len()),
                        hint,
                    ));
                }
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                let found = models.embedder(model.as_deref(), max_length)?.embed(&texts)?;
                let vectors: Vec<&[f32]> = found.vectors.chunks_exact(found.dimension.max(1)).collect();
                Ok(json!({"vectors": vectors, "dimension": found.dimension, "truncated": found.truncated}))
            }
            Self::Generate(Generate {
                model,
                adapter,
                prompt,
                messages,
                sampling,
            }) => {
                let model = models.text_model(&model)?;
                model.use_adapter(adapter.as_deref())?;
                let generated = match (prompt, messages) {
                    (Some(prompt), None) => model.complete(&prompt, &sampling)?,
                    (None, Some(messages)) => model.chat(&messages, &sampling)?,
                    _ => {
                        let why = "a generate request has either `prompt` or `messages`";
                        return Err(ModelError::input(why, "Send one of the two."));
                    }
                };
                serde_json::to_value(&generated)
                    .map_err(|error| ModelError::input(error.to_string(), "Report this with the request."))
            }
        }
    }
}
