//! Cross-encoders: how well a document answers a question, read together.

#[cfg(test)]
mod tests;

use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind};
use tokenizers::Tokenizer;

use crate::{
    ModelError,
    checkpoint::{Checkpoint, read_json},
    embed::{
        batches::{Batches, by_length, encode, tokenizer},
        copy_out, encoder, is_cut,
    },
    nn::bert::{Bert, Head},
    weights::Weights,
};

/// How pairs are scored.
#[derive(Debug, Clone, PartialEq)]
pub struct RerankerOptions {
    /// Where the model runs.
    pub device: Device,
    /// How its weights are held.
    pub weights: Weights,
    /// Tokens of a batch.
    pub batch_tokens: usize,
    /// Tokens of a pair that count; `None` is what the model was published with.
    pub max_length: Option<usize>,
}

impl Default for RerankerOptions {
    fn default() -> Self {
        Self {
            device: Device::Cpu,
            weights: Weights::Auto,
            batch_tokens: 2048,
            max_length: None,
        }
    }
}

/// Scores of some documents.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// A score for each document, in their order. More is better; of most models from 0 to 1.
    pub scores: Vec<f32>,
    /// Pairs that were longer than the model reads.
    pub truncated: usize,
    /// Tokens that were computed.
    pub tokens: usize,
}

impl Scored {
    /// The documents' indices, best first; equal scores in the documents' order.
    #[must_use]
    pub fn order(&self) -> Vec<usize> {
        let score = |index: usize| self.scores.get(index).copied().unwrap_or(f32::NEG_INFINITY);
        let mut order: Vec<usize> = (0..self.scores.len()).collect();
        order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
        order
    }
}

/// A loaded cross-encoder. It is [`Send`] but not [`Sync`]: one thread at a time.
pub struct Reranker {
    bert: Bert,
    head: Head,
    tokenizer: Tokenizer,
    batches: Batches,
    /// Whether scores are put between 0 and 1.
    sigmoid: bool,
}

impl Reranker {
    /// Loads a checkpoint of `BertForSequenceClassification`, or RoBERTa's, with one label.
    ///
    /// # Errors
    /// What is missing or wrong in the folder, naming the file or tensor; `model.config` for more labels than one.
    pub fn open(dir: &Path, options: RerankerOptions) -> Result<Self, ModelError> {
        let checkpoint = Checkpoint::open(dir)?;
        let bert = encoder(&checkpoint, options.device, options.weights)?;
        let kind = match options.device {
            Device::Cpu => Kind::Float,
            _ => options.weights.kind(Kind::Float),
        };
        let head = Head::load(&checkpoint, options.device, kind)?;
        if head.labels() != 1 {
            return Err(ModelError::Config {
                path: dir.join("config.json"),
                why: format!("the model gives {} scores for a pair", head.labels()),
                hint: "Use a reranker: a cross-encoder with one label.".to_owned(),
            });
        }
        let path = dir.join("tokenizer_config.json");
        let about = if path.is_file() {
            read_json(&path, dir)?
        } else {
            Value::Null
        };
        let published = published_length(&about);
        let max_length = options
            .max_length
            .or(published)
            .unwrap_or(usize::MAX)
            .min(bert.max_length());
        Ok(Self {
            tokenizer: tokenizer(dir, max_length)?,
            sigmoid: sigmoid(checkpoint.config_json()),
            batches: Batches {
                tokens: options.batch_tokens,
                pairs: tells_texts_apart(&about),
            },
            bert,
            head,
        })
    }

    /// Scores documents for a question; pairs are sorted by length inside, and no padding is computed.
    ///
    /// # Errors
    /// What the tokenizer or libtorch says.
    pub fn score(&self, query: &str, documents: &[&str]) -> Result<Scored, ModelError> {
        let pairs: Vec<(&str, &str)> = documents.iter().map(|document| (query, *document)).collect();
        let encodings = encode(&self.tokenizer, pairs)?;
        let truncated = encodings.iter().filter(|encoding| is_cut(encoding)).count();
        let mut scores = vec![0_f32; documents.len()];
        let _guard = tch::no_grad_guard();
        let tokens = by_length(&encodings, self.batches, |packed, indices| {
            let mut found = self
                .head
                .forward(&self.bert.forward(packed)?, packed)?
                .f_to_kind(Kind::Float)?;
            if self.sigmoid {
                found = found.f_sigmoid()?;
            }
            for (&index, value) in indices.iter().zip(copy_out(&found)?) {
                if let Some(score) = scores.get_mut(index) {
                    *score = value;
                }
            }
            Ok(())
        })?;
        Ok(Scored {
            scores,
            truncated,
            tokens,
        })
    }
}

/// sentence-transformers puts single scores between 0 and 1 unless the configuration names another function.
fn sigmoid(config: &Value) -> bool {
    let named = config
        .get("sentence_transformers")
        .and_then(|own| own.get("activation_fn"))
        .or_else(|| config.get("sbert_ce_default_activation_function"));
    named
        .and_then(Value::as_str)
        .is_none_or(|name| !name.ends_with(".Identity"))
}

fn published_length(about: &Value) -> Option<usize> {
    let length = about
        .get("model_max_length")?
        .as_u64()
        .filter(|length| *length > 0)?;
    usize::try_from(length).ok()
}

/// Whether the tokenizer's class gives the model the types of tokens, as transformers has it.
fn tells_texts_apart(about: &Value) -> bool {
    if let Some(names) = about.get("model_input_names").and_then(Value::as_array) {
        return names.iter().any(|name| name == "token_type_ids");
    }
    let class = about.get("tokenizer_class").and_then(Value::as_str);
    !matches!(class, Some("TokenizersBackend" | "PreTrainedTokenizerFast"))
}
