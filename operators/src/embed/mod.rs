//! `embed`: a vector for every chunk. `twinloom-torch` runs it.

mod config;
#[cfg(test)]
mod tests;

pub use config::Config;

use twinloom_sdk::{OperatorInfo, Runs, records};

/// Dimension of the default embedder. Ports agree on there being vectors, not on their dimension.
const DIMENSION: i32 = 384;

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
