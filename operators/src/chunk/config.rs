//! What `with:` of `chunk` holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How documents are cut into chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The most characters a chunk may have, trailing white space not counted.
    #[schemars(range(min = 64, max = 100_000))]
    pub size: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { size: 1500 }
    }
}
