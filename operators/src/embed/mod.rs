//! `embed`: a vector for every chunk. `twinloom-torch` runs it.

mod config;
mod locate;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use locate::{EMBEDDER, above, folder, identity};

use serde::{Deserialize, Serialize};
use twinloom_sdk::{OperatorInfo, Runs, records};

/// Dimension of the default embedder. Ports agree on there being vectors, not on their dimension.
const DIMENSION: i32 = 384;

/// The figure of the output's manifest that holds a [`MadeBy`].
pub const EMBEDDER_FIGURE: &str = "embedder";

/// What a question has to be embedded with to lie near its chunks; beside it stands the embedder's [`identity`], as
/// `made_with`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MadeBy {
    /// The configured embedder: its folder, absolute, or its name on the hub; none is the default one.
    pub model: Option<String>,
    /// Tokens of a text that counted.
    pub max_length: Option<usize>,
}

impl MadeBy {
    /// Of an embedder that is loaded.
    #[must_use]
    pub fn new(model: Option<&str>, max_length: usize) -> Self {
        let absolute = |model: &str| match std::fs::canonicalize(model) {
            Ok(folder) => folder.display().to_string(),
            Err(_) => model.to_owned(),
        };
        Self {
            model: model.map(absolute),
            max_length: Some(max_length),
        }
    }
}

/// Which embedder a configuration means: an environment variable may name another, and a folder may get other files.
#[must_use]
pub fn salt(config: &Config) -> Option<String> {
    identity(&folder(config.model.as_deref())?)
}

/// Name, ports, where it runs.
#[must_use]
pub fn info() -> OperatorInfo {
    OperatorInfo {
        name: "embed",
        version: "1",
        summary: "Makes a vector of every chunk with a sentence embedder; only of those that changed.",
        inputs: vec![records::dataset_in(
            "chunks",
            "What is embedded",
            &records::chunks(),
            &[],
        )],
        outputs: vec![records::dataset_out(
            "chunks",
            "The chunks with vectors",
            &records::embedded_chunks(DIMENSION),
        )],
        open_ports: false,
        runs: Runs::Torch,
        cacheable: true,
    }
}
