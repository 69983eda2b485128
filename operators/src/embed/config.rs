//! What `with:` of `embed` holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinloom_sdk::OperatorError;

/// Configuration of `embed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder of a BERT-type embedder in the Hugging Face layout, or its name on the hub; without it the folder that the environment variable
    /// TWINLOOM_EMBEDDER names, or all-MiniLM-L6-v2 as set-up puts it into the repository's .cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Tokens of a batch, all its texts together. More is no faster once the matrices are large; it costs memory.
    #[schemars(range(min = 64, max = 1_048_576))]
    pub batch_tokens: usize,
    /// Tokens of a text that count; the rest is cut off. Without it the length that the model was published with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 8, max = 65_536))]
    pub max_length: Option<usize>,
    /// Whether vectors get the length 1, so that the inner product is the cosine.
    pub normalise: bool,
    /// `auto`, `cpu`, `cuda` or `cuda:N`.
    pub device: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            model: None,
            batch_tokens: 2048,
            max_length: None,
            normalise: true,
            device: "auto".to_owned(),
        }
    }
}

impl Config {
    /// Checks the bounds that the schema states.
    ///
    /// # Errors
    /// `embed.config`, naming the key.
    pub fn check(&self) -> Result<(), OperatorError> {
        let bounds: [(&str, bool, &str); 2] = [
            (
                "batch_tokens",
                (64..=1_048_576).contains(&self.batch_tokens),
                "64 to 1048576",
            ),
            (
                "max_length",
                self.max_length
                    .is_none_or(|length| (8..=65_536).contains(&length)),
                "8 to 65536",
            ),
        ];
        match bounds.into_iter().find(|(_, holds, _)| !holds) {
            None => Ok(()),
            Some((key, _, bounds)) => Err(OperatorError::config(
                "embed.config",
                format!("`{key}` is out of its bounds"),
                format!("Set `{key}` to {bounds}."),
            )),
        }
    }
}
