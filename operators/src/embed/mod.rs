//! `embed`: a vector for every chunk. `twinloom-torch` runs it.

mod config;
mod locate;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use locate::{EMBEDDER, above, folder, identity};

use twinloom_sdk::{OperatorInfo, Runs, records};

/// Dimension of the default embedder. Ports agree on there being vectors, not on their dimension.
const DIMENSION: i32 = 384;

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
