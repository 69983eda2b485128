//! What `with:` of `clean` holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How documents are cleaned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Take the site's own words (sign-in and subscribe buttons, share menus, footers, recommendations) out of articles.
    pub chrome: bool,
    /// Write styled Unicode letters (mathematical bold, full width and the like) as plain ones, outside of code.
    pub plain_letters: bool,
    /// Find the language of prose.
    pub language: bool,
    /// Documents of fewer characters after cleaning are dropped. Empty ones always are.
    pub min_chars: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            chrome: true,
            plain_letters: true,
            language: true,
            min_chars: 1,
        }
    }
}
