//! The reranker's rate on real chunks: one question with each of them.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{best_of, embed::articles, embed::chunks, row};
use crate::{
    ModelError, device,
    rerank::{Reranker, RerankerOptions},
    weights::Weights,
};

/// Read together with every chunk, as a question is.
const QUESTION: &str = "How do I keep a model in production up to date with new data?";

/// What is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct RerankBench {
    /// Folder of a cross-encoder.
    #[arg(long)]
    pub model: PathBuf,
    /// Articles, a JSON object with `text` a line; those of the folder `shared` beside the repository without it.
    #[arg(long)]
    pub articles: Option<PathBuf>,
    /// Chunks.
    #[arg(long, default_value_t = 300)]
    pub limit: usize,
    /// How weights are held.
    #[arg(long, value_enum, default_value_t = Weights::F32)]
    pub weights: Weights,
    /// auto, cpu, cuda or cuda:N.
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Calls, of which the fastest counts.
    #[arg(long, default_value_t = 2)]
    pub repeats: usize,
}

/// Pairs a second.
///
/// # Errors
/// What is wrong with the model or the articles.
pub fn rerank(bench: &RerankBench) -> Result<Vec<Value>, ModelError> {
    let chunks = chunks(&articles(bench.articles.clone())?, bench.limit)?;
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    let options = RerankerOptions {
        device: device::parse(&bench.device)?,
        weights: bench.weights,
        ..RerankerOptions::default()
    };
    let reranker = Reranker::open(&bench.model, options)?;
    reranker.score(QUESTION, chunks.get(..16).unwrap_or(&chunks))?;
    let seconds = best_of(bench.repeats, || reranker.score(QUESTION, &chunks).map(drop))?;
    let case = json!({"dtype": format!("{:?}", bench.weights).to_lowercase(), "device": bench.device, "pairs": chunks.len()});
    Ok(vec![row(
        "rerank",
        "twinloom",
        chunks.len() as f64 / seconds,
        "pairs/s",
        case,
    )])
}
