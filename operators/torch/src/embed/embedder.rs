//! A sentence embedder: tokenizer, encoder, pooling.

use std::path::{Path, PathBuf};

use tch::{Device, Kind, Tensor};
use tokenizers::{Tokenizer, TruncationParams};

use crate::{
    ModelError,
    checkpoint::{Checkpoint, read_json},
    nn::bert::{Bert, Packed},
};

/// How texts are embedded.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbedderOptions {
    /// Where the model runs.
    pub device: Device,
    /// Tokens of a batch.
    pub batch_tokens: usize,
    /// Tokens of a text that count; `None` is what the model was published with.
    pub max_length: Option<usize>,
    /// Whether vectors get the length 1.
    pub normalise: bool,
}

impl Default for EmbedderOptions {
    fn default() -> Self {
        Self {
            device: Device::Cpu,
            batch_tokens: 2048,
            max_length: None,
            normalise: true,
        }
    }
}

/// Vectors of some texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// One after the other, in the order of the texts.
    pub vectors: Vec<f32>,
    /// Values of a vector.
    pub dimension: usize,
    /// Texts that were longer than the model reads.
    pub truncated: usize,
    /// Tokens that were computed.
    pub tokens: usize,
}

#[derive(Debug, Clone, Copy)]
enum Pooling {
    Mean,
    First,
}

/// A loaded embedder. It is [`Send`] but not [`Sync`]: one thread at a time.
pub struct Embedder {
    bert: Bert,
    tokenizer: Tokenizer,
    pooling: Pooling,
    options: EmbedderOptions,
    max_length: usize,
}

impl Embedder {
    /// Loads a folder in the layout of sentence-transformers, or a bare BERT checkpoint (then with mean pooling).
    ///
    /// # Errors
    /// What is missing or wrong in the folder, naming the file or tensor.
    pub fn open(dir: &Path, options: EmbedderOptions) -> Result<Self, ModelError> {
        let checkpoint = Checkpoint::open(dir)?;
        let bert = Bert::load(&checkpoint, options.device, Kind::Float)?;
        let max_length = options
            .max_length
            .or(published_length(dir)?)
            .unwrap_or(usize::MAX)
            .min(bert.max_length());
        let tokenizer = tokenizer(dir, max_length)?;
        Ok(Self {
            bert,
            tokenizer,
            pooling: pooling(dir)?,
            options,
            max_length,
        })
    }

    /// Values of a vector.
    #[must_use]
    pub fn dimension(&self) -> usize {
        usize::try_from(self.bert.hidden_size()).unwrap_or_default()
    }

    /// Tokens of a text that count.
    #[must_use]
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// Embeds texts; they are sorted by length inside, the vectors come in the texts' order.
    ///
    /// # Errors
    /// What the tokenizer or libtorch says.
    pub fn embed(&self, texts: &[&str]) -> Result<Embedded, ModelError> {
        let dimension = self.dimension();
        let encodings = self
            .tokenizer
            .encode_batch_fast(texts.to_vec(), true)
            .map_err(|error| {
                ModelError::input(
                    format!("a text cannot be tokenized: {error}"),
                    "Check the embedder's tokenizer.json.",
                )
            })?;
        let truncated = encodings
            .iter()
            .filter(|encoding| !encoding.get_overflowing().is_empty())
            .count();
        let mut order: Vec<usize> = (0..texts.len()).collect();
        let length = |index: usize| encodings.get(index).map_or(0, tokenizers::Encoding::len);
        order.sort_by_key(|&index| std::cmp::Reverse(length(index)));

        let mut vectors = vec![0_f32; texts.len() * dimension];
        let (mut rest, mut tokens) = (order.as_slice(), 0);
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(self.fitting(rest, length));
            let mut packed = Packed::default();
            batch
                .iter()
                .filter_map(|&index| encodings.get(index))
                .for_each(|encoding| packed.push(encoding.get_ids()));
            tokens += packed.tokens();
            let values = self.forward(&packed)?;
            for (&index, vector) in batch.iter().zip(values.chunks_exact(dimension)) {
                if let Some(place) = vectors.get_mut(index * dimension..(index + 1) * dimension) {
                    place.copy_from_slice(vector);
                }
            }
            rest = later;
        }
        Ok(Embedded {
            vectors,
            dimension,
            truncated,
            tokens,
        })
    }

    /// How many of these go into a batch; at least one.
    fn fitting(&self, order: &[usize], length: impl Fn(usize) -> usize) -> usize {
        let mut tokens = 0;
        let fits = |&&index: &&usize| {
            tokens += length(index);
            tokens <= self.options.batch_tokens
        };
        order.iter().take_while(fits).count().max(1)
    }

    fn forward(&self, batch: &Packed) -> Result<Vec<f32>, ModelError> {
        let _guard = tch::no_grad_guard();
        let hidden = self.bert.forward(batch)?;
        let mut vectors = match self.pooling {
            Pooling::Mean => self.bert.mean(&hidden, batch)?,
            Pooling::First => self.bert.first(&hidden, batch)?,
        };
        if self.options.normalise {
            let lengths = vectors
                .f_norm_scalaropt_dim(2.0, [1_i64].as_slice(), true)?
                .f_clamp_min(1e-12)?;
            vectors = vectors.f_div(&lengths)?;
        }
        copy_out(&vectors)
    }
}

fn copy_out(vectors: &Tensor) -> Result<Vec<f32>, ModelError> {
    let vectors = vectors
        .f_to_device(Device::Cpu)?
        .f_to_kind(Kind::Float)?
        .f_contiguous()?;
    let mut values = vec![0_f32; vectors.numel()];
    let count = values.len();
    vectors.f_copy_data(&mut values, count)?;
    Ok(values)
}

/// The tokenizer, with its own settings for length and padding replaced: sequences are not padded here.
fn tokenizer(dir: &Path, max_length: usize) -> Result<Tokenizer, ModelError> {
    let path = dir.join("tokenizer.json");
    if !path.is_file() {
        return Err(ModelError::Missing {
            dir: dir.to_owned(),
            what: "tokenizer.json".to_owned(),
        });
    }
    let damaged = |error: tokenizers::Error| ModelError::Damaged {
        path: path.clone(),
        why: error.to_string(),
    };
    let mut tokenizer = Tokenizer::from_file(&path).map_err(damaged)?;
    tokenizer.with_padding(None);
    tokenizer
        .with_truncation(Some(TruncationParams {
            max_length,
            ..TruncationParams::default()
        }))
        .map_err(damaged)?;
    Ok(tokenizer)
}

/// `max_seq_length` of sentence_bert_config.json.
fn published_length(dir: &Path) -> Result<Option<usize>, ModelError> {
    let Some(config) = optional_json(dir, "sentence_bert_config.json")? else {
        return Ok(None);
    };
    Ok(config
        .get("max_seq_length")
        .and_then(serde_json::Value::as_u64)
        .and_then(|length| usize::try_from(length).ok()))
}

fn pooling(dir: &Path) -> Result<Pooling, ModelError> {
    const NAME: &str = "1_Pooling/config.json";
    let Some(config) = optional_json(dir, NAME)? else {
        return Ok(Pooling::Mean);
    };
    let old = |name: &str| {
        config
            .get(name)
            .and_then(serde_json::Value::as_bool)
            .unwrap_or(false)
    };
    let mode = config
        .get("pooling_mode")
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default();
    match (
        old("pooling_mode_mean_tokens") || mode == "mean",
        old("pooling_mode_cls_token") || mode == "cls",
    ) {
        (true, false) => Ok(Pooling::Mean),
        (false, true) => Ok(Pooling::First),
        _ => Err(ModelError::Config {
            path: dir.join(NAME),
            why: "its pooling is neither mean nor cls".to_owned(),
            hint: "Use an embedder with mean or cls pooling.".to_owned(),
        }),
    }
}

fn optional_json(dir: &Path, name: &str) -> Result<Option<serde_json::Value>, ModelError> {
    let path: PathBuf = dir.join(name);
    if path.is_file() {
        read_json(&path, dir).map(Some)
    } else {
        Ok(None)
    }
}
