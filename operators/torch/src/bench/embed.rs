//! The embedder's rate on real chunks: articles cut every 900 characters.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tch::Kind;

use super::{best_of, matrix_rate, row};
use crate::{
    ModelError,
    checkpoint::Checkpoint,
    embed::{Embedder, EmbedderOptions, above, embedder_dir},
};

const CHUNK: usize = 900;

/// What is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct EmbedBench {
    /// Folder of the embedder; the one that `embed` uses without it.
    #[arg(long)]
    pub model: Option<String>,
    /// Articles, a JSON object with `text` a line; those of the folder `shared` beside the repository without it.
    #[arg(long)]
    pub articles: Option<PathBuf>,
    /// Chunks.
    #[arg(long, default_value_t = 600)]
    pub limit: usize,
    /// Tokens of a batch.
    #[arg(long, default_value_t = EmbedderOptions::default().batch_tokens)]
    pub batch_tokens: usize,
    /// Calls, of which the fastest counts.
    #[arg(long, default_value_t = 2)]
    pub repeats: usize,
}

/// Chunks a second, and the share of the machine's matrix rate.
///
/// # Errors
/// What is wrong with the model or the articles.
pub fn embed(bench: &EmbedBench) -> Result<Vec<Value>, ModelError> {
    let model = embedder_dir(bench.model.as_deref())?;
    let chunks = chunks(&articles(bench.articles.clone())?, bench.limit)?;
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    let options = EmbedderOptions {
        batch_tokens: bench.batch_tokens,
        ..EmbedderOptions::default()
    };
    let embedder = Embedder::open(&model, options)?;
    let warm = chunks.get(..32).unwrap_or(&chunks);
    embedder.embed(warm)?;
    let mut tokens = 0;
    let seconds = best_of(bench.repeats, || {
        tokens = embedder.embed(&chunks)?.tokens;
        Ok(())
    })?;
    let case = json!({"dtype": "float32", "device": "cpu", "chunks": chunks.len(), "tokens": tokens,
        "batch_tokens": bench.batch_tokens});
    let limit = matrix_rate(Kind::Float, tch::Device::Cpu)?;
    let products = tokens as f64 * products_a_token(&model)?;
    Ok(vec![
        row(
            "embed",
            "twinloom",
            chunks.len() as f64 / seconds,
            "chunks/s",
            case.clone(),
        ),
        row(
            "embed",
            "share_of_limit",
            products / seconds / limit,
            "share",
            case,
        ),
    ])
}

fn articles(given: Option<PathBuf>) -> Result<PathBuf, ModelError> {
    let shared = std::env::var_os("TWINLOOM_SHARED").map(PathBuf::from);
    let found = given.or_else(|| {
        shared
            .or_else(|| above("shared"))
            .map(|dir| dir.join("data/articles.jsonl"))
    });
    found.ok_or_else(|| ModelError::input("there are no articles to embed", "Name a file with --articles."))
}

/// Products and sums a token costs in the encoder's layers, attention left out.
fn products_a_token(model: &Path) -> Result<f64, ModelError> {
    let checkpoint = Checkpoint::open(model)?;
    let weights = checkpoint
        .names()
        .filter(|name| name.contains("encoder.layer"))
        .filter_map(|name| checkpoint.shape(name));
    Ok(2.0
        * weights
            .filter(|shape| shape.len() == 2)
            .map(|shape| shape.iter().product::<i64>())
            .sum::<i64>() as f64)
}

fn chunks(path: &Path, limit: usize) -> Result<Vec<String>, ModelError> {
    let text = std::fs::read_to_string(path).map_err(|source| ModelError::Io {
        path: path.to_owned(),
        source,
    })?;
    let mut chunks = Vec::new();
    for line in text.lines() {
        let article: Value = serde_json::from_str(line).map_err(|error| ModelError::Damaged {
            path: path.to_owned(),
            why: error.to_string(),
        })?;
        let characters: Vec<char> = article
            .get("text")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .chars()
            .collect();
        chunks.extend(
            characters
                .chunks(CHUNK)
                .map(|chunk| chunk.iter().collect::<String>()),
        );
    }
    chunks.truncate(limit);
    Ok(chunks)
}
