//! A sentence embedder: tokenizer, encoder, pooling.

use std::{borrow::Cow, path::Path};

use tch::{Device, Kind, Tensor};
use tokenizers::{Encoding, Tokenizer};
use twinloom_kernels::Level;
use twinloom_sdk::serving::Role;

use super::{
    batches::{Batches, by_length, encode, tokenizer},
    pooling::Pooling,
    published::Published,
};
use crate::{
    ModelError,
    checkpoint::Checkpoint,
    nn::bert::{Bert, Packed},
    weights::Weights,
};

/// How texts are embedded.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbedderOptions {
    /// Where the model runs.
    pub device: Device,
    /// How its weights are held.
    pub weights: Weights,
    /// Tokens of a batch.
    pub batch_tokens: usize,
    /// Tokens of a text that count; `None` is what the model was published with.
    pub max_length: Option<usize>,
    /// Whether vectors get the length 1.
    pub normalise: bool,
    /// What the texts are.
    pub role: Role,
}

impl Default for EmbedderOptions {
    fn default() -> Self {
        Self {
            device: Device::Cpu,
            weights: Weights::Auto,
            batch_tokens: 2048,
            max_length: None,
            normalise: true,
            role: Role::Text,
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

/// A loaded embedder. It is [`Send`] but not [`Sync`]: one thread at a time.
pub struct Embedder {
    bert: Bert,
    tokenizer: Tokenizer,
    published: Published,
    options: EmbedderOptions,
    max_length: usize,
}

impl Embedder {
    /// Loads a folder in the layout of sentence-transformers, or a bare BERT checkpoint (then with mean pooling).
    ///
    /// # Errors
    /// What is missing or wrong in the folder, naming the file or tensor.
    pub fn open(dir: &Path, options: EmbedderOptions) -> Result<Self, ModelError> {
        let published = Published::read(dir)?;
        let checkpoint = Checkpoint::open(&published.model)?;
        let bert = encoder(&checkpoint, options.device, options.weights)?;
        let max_length = options
            .max_length
            .or(published.max_length)
            .unwrap_or(usize::MAX)
            .min(bert.max_length());
        Ok(Self {
            tokenizer: tokenizer(&published.model, max_length)?,
            bert,
            published,
            options,
            max_length,
        })
    }

    /// Values of a vector.
    #[must_use]
    pub fn dimension(&self) -> usize {
        usize::try_from(self.bert.hidden_size()).unwrap_or_default() * self.published.pooling.width()
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
        self.embed_as(texts, self.options.role)
    }

    /// The same for texts that are something else than the options say.
    ///
    /// # Errors
    /// What the tokenizer or libtorch says.
    pub fn embed_as(&self, texts: &[&str], role: Role) -> Result<Embedded, ModelError> {
        let dimension = self.dimension();
        let prompt = self.prompt(role);
        let inputs: Vec<Cow<'_, str>> = texts.iter().map(|text| self.input(prompt, text)).collect();
        let encodings = encode(&self.tokenizer, inputs)?;
        let truncated = encodings.iter().filter(|encoding| is_cut(encoding)).count();
        let left_out = self.left_out(prompt)?;
        let mut vectors = vec![0_f32; texts.len() * dimension];
        let batches = Batches {
            tokens: self.options.batch_tokens,
            pairs: false,
        };
        let tokens = by_length(&encodings, batches, |packed, indices| {
            let values = self.forward(packed, left_out)?;
            for (&index, vector) in indices.iter().zip(values.chunks_exact(dimension)) {
                if let Some(place) = vectors.get_mut(index * dimension..(index + 1) * dimension) {
                    place.copy_from_slice(vector);
                }
            }
            Ok(())
        })?;
        Ok(Embedded {
            vectors,
            dimension,
            truncated,
            tokens,
        })
    }

    /// The text that goes before others: by the names that sentence-transformers looks for.
    fn prompt(&self, role: Role) -> &str {
        let Published {
            prompts,
            default_prompt,
            ..
        } = &self.published;
        let names: &[&str] = match role {
            Role::Text => &[],
            Role::Query => &["query"],
            Role::Document => &["document", "passage", "corpus"],
        };
        let named = names.iter().find_map(|name| prompts.get(*name));
        named
            .or_else(|| prompts.get(default_prompt.as_deref()?))
            .map_or("", String::as_str)
    }

    fn input<'t>(&self, prompt: &str, text: &'t str) -> Cow<'t, str> {
        match (prompt, self.published.lowercase) {
            ("", false) => Cow::Borrowed(text),
            (_, false) => Cow::Owned(format!("{prompt}{text}")),
            (_, true) => Cow::Owned(format!("{prompt}{text}").to_lowercase()),
        }
    }

    /// Tokens at the start that pooling leaves out: the prompt's, where it does not count.
    fn left_out(&self, prompt: &str) -> Result<i64, ModelError> {
        if prompt.is_empty() || self.published.pooling.include_prompt {
            return Ok(0);
        }
        let encodings = encode(&self.tokenizer, vec![self.input(prompt, "")])?;
        let special = |encoding: &Encoding| encoding.get_special_tokens_mask().last() == Some(&1);
        // The token that ends a text stands after the text, not after the prompt.
        let count = |encoding: &Encoding| encoding.len() - usize::from(special(encoding));
        Ok(encodings.first().map_or(0, count) as i64)
    }

    fn forward(&self, batch: &Packed, left_out: i64) -> Result<Vec<f32>, ModelError> {
        let _guard = tch::no_grad_guard();
        let hidden = self.bert.forward(batch)?;
        let pooling: &Pooling = &self.published.pooling;
        let mut vectors = pooling.apply(&hidden, batch, left_out)?;
        if self.options.normalise {
            let vectors_in = vectors.f_to_kind(Kind::Float)?;
            let lengths = vectors_in
                .f_norm_scalaropt_dim(2.0, [1_i64].as_slice(), true)?
                .f_clamp_min(1e-12)?;
            vectors = vectors_in.f_div(&lengths)?;
        }
        copy_out(&vectors)
    }
}

/// An encoder: on the CPU its layers run on the kernels, elsewhere on libtorch.
///
/// # Errors
/// What is wrong with the checkpoint.
pub fn encoder(checkpoint: &Checkpoint, device: Device, weights: Weights) -> Result<Bert, ModelError> {
    // Without these instructions libtorch's products over long batches are the faster ones.
    let needed = match weights {
        Weights::Auto | Weights::F32 => Level::Avx512,
        Weights::Bf16 => Level::Avx512Bf16,
        Weights::Int8 | Weights::Int4 => Level::Plain,
    };
    if device != Device::Cpu || Level::detect() < needed {
        return Bert::load(checkpoint, device, weights.kind(Kind::Float));
    }
    let mut bert = Bert::load(checkpoint, device, Kind::Float)?;
    bert.pack(weights.format(Kind::Float))?;
    Ok(bert)
}

/// Whether the text was longer than the model reads.
pub fn is_cut(encoding: &Encoding) -> bool {
    !encoding.get_overflowing().is_empty()
}

/// The values of a tensor, in order.
///
/// # Errors
/// What libtorch says.
pub fn copy_out(tensor: &Tensor) -> Result<Vec<f32>, ModelError> {
    let tensor = tensor
        .f_to_device(Device::Cpu)?
        .f_to_kind(Kind::Float)?
        .f_contiguous()?;
    let mut values = vec![0_f32; tensor.numel()];
    let count = values.len();
    tensor.f_copy_data(&mut values, count)?;
    Ok(values)
}
