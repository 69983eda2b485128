//! `retrieve`: searches a collection as a check of embedding and index. `twinloom-torch` runs it.

mod config;
#[cfg(test)]
mod tests;

pub use config::{Config, hits};

use twinloom_sdk::{OperatorInfo, Runs, records};

/// Name, ports, where it runs.
#[must_use]
pub fn info() -> OperatorInfo {
    OperatorInfo {
        name: "retrieve",
        version: "1",
        summary: "Answers queries from embedded chunks, and measures recall on queries that it takes from the chunks.",
        inputs: vec![records::dataset_in(
            "chunks",
            "What is searched",
            &records::embedded_chunks(1),
            &["document_id", "chunk", "title", "link", "text", "vector"],
        )],
        outputs: vec![records::dataset_out(
            "hits",
            "The best chunks of each query",
            &hits(),
        )],
        open_ports: false,
        runs: Runs::Torch,
        cacheable: true,
    }
}
