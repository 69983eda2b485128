//! What `with:` of `promote` holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which alias is moved, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The alias that is pointed at the model's version.
    pub alias: String,
    /// Why, for the audit; without it the approver's comment, or who approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            alias: "production".to_owned(),
            reason: None,
        }
    }
}
