//! The embedder's rate on real chunks: articles cut every 900 characters.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tch::{Device, Kind};

use super::{best_of, kernel_rate, row};
use crate::{
    ModelError,
    checkpoint::Checkpoint,
    device,
    embed::{Embedder, EmbedderOptions, above, embedder_dir},
    train::matrix_rate,
    weights::Weights,
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

/// Chunks a second, and the share of the machine's matrix rate.
///
/// # Errors
/// What is wrong with the model or the articles.
pub fn embed(bench: &EmbedBench) -> Result<Vec<Value>, ModelError> {
    let model = embedder_dir(bench.model.as_deref())?;
    let chunks = chunks(&articles(bench.articles.clone())?, bench.limit)?;
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    let device = device::parse(&bench.device)?;
    let options = EmbedderOptions {
        device,
        batch_tokens: bench.batch_tokens,
        weights: bench.weights,
        ..EmbedderOptions::default()
    };
    let reduced = bench.weights != Weights::F32;
    let embedder = Embedder::open(&model, options.clone())?;
    let warm = chunks.get(..32).unwrap_or(&chunks);
    embedder.embed(warm)?;
    let (mut tokens, mut vectors) = (0, Vec::new());
    let seconds = best_of(bench.repeats, || {
        let found = embedder.embed(&chunks)?;
        (tokens, vectors) = (found.tokens, found.vectors);
        Ok(())
    })?;
    let mut case = json!({"dtype": format!("{:?}", bench.weights).to_lowercase(), "device": bench.device,
        "chunks": chunks.len(), "tokens": tokens, "batch_tokens": bench.batch_tokens});
    if reduced {
        let exact = EmbedderOptions {
            weights: Weights::F32,
            device: Device::Cpu,
            ..options
        };
        let exact = Embedder::open(&model, exact)?.embed(&chunks)?;
        let pairs = exact
            .vectors
            .chunks_exact(exact.dimension)
            .zip(vectors.chunks_exact(exact.dimension));
        let cosine = |(a, b): (&[f32], &[f32])| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        if let Some(fields) = case.as_object_mut() {
            fields.insert(
                "least_cosine".to_owned(),
                json!(pairs.map(cosine).fold(1.0, f32::min)),
            );
        }
    }
    let name = if reduced { "embed_reduced" } else { "embed" };
    let rate = row(
        name,
        "twinloom",
        chunks.len() as f64 / seconds,
        "chunks/s",
        case.clone(),
    );
    let limit = if device.is_cuda() {
        matrix_rate(bench.weights.kind(Kind::Float), device)?
    } else {
        kernel_rate(bench.weights.format(Kind::Float))?.max(matrix_rate(Kind::Float, device)?)
    };
    let products = tokens as f64 * products_a_token(&model)?;
    let share = row(name, "share_of_limit", products / seconds / limit, "share", case);
    Ok(vec![rate, share])
}

/// The file of articles.
pub fn articles(given: Option<PathBuf>) -> Result<PathBuf, ModelError> {
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

/// The first chunks of them.
pub fn chunks(path: &Path, limit: usize) -> Result<Vec<String>, ModelError> {
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
