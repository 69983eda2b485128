//! What `with:` of `index` holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which collection is kept in step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Name of the collection of the vector index: lower-case letters, digits, `_`, `-` and `.`.
    pub collection: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            collection: "chunks".to_owned(),
        }
    }
}
