//! `retrieve`: searches a collection as a check of embedding and index. `twinloom-torch` runs it.

mod config;
#[cfg(test)]
mod tests;

pub use config::{Config, hits};

use std::path::Path;

use twinloom_sdk::{OperatorInfo, Runs, records};

use crate::embed::{folder, identity};

/// Which embedder and which reranker a configuration means: an environment variable may name another embedder, and a
/// folder may get other files.
#[must_use]
pub fn salt(config: &Config) -> Option<String> {
    let embedder = folder(config.model.as_deref()).and_then(|dir| identity(&dir));
    let reranker = config.reranker.as_ref().and_then(|dir| identity(Path::new(dir)));
    match (embedder, reranker) {
        (None, None) => None,
        both => Some(format!("{both:?}")),
    }
}

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
