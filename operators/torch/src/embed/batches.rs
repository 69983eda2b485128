//! Texts to tokens, and tokens to batches: sorted by length, packed up to a number of tokens.

use std::path::Path;

use tokenizers::{EncodeInput, Encoding, Tokenizer, TruncationParams};

use crate::{ModelError, nn::bert::Packed};

/// The tokenizer of a folder, with its own settings for length and padding replaced: sequences are not padded here.
///
/// # Errors
/// `model.file_missing` or `model.damaged`.
pub fn tokenizer(dir: &Path, max_length: usize) -> Result<Tokenizer, ModelError> {
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

/// Tokens of texts or pairs of texts.
///
/// # Errors
/// `model.input`, where the tokenizer fails.
pub fn encode<'s>(
    tokenizer: &Tokenizer,
    texts: Vec<impl Into<EncodeInput<'s>> + Send>,
) -> Result<Vec<Encoding>, ModelError> {
    tokenizer.encode_batch_fast(texts, true).map_err(|error| {
        ModelError::input(
            format!("a text cannot be tokenized: {error}"),
            "Check the model's tokenizer.json.",
        )
    })
}

/// How [`by_length`] makes batches.
#[derive(Debug, Clone, Copy)]
pub struct Batches {
    /// Tokens of a batch, at most; a longer sequence makes one of its own.
    pub tokens: usize,
    /// Whether the texts of a pair are told apart.
    pub pairs: bool,
}

/// Longest first, so that sequences of equal length meet. `run`
/// gets the batch and which texts are in it, in order. Gives the tokens in all.
///
/// # Errors
/// What `run` says.
pub fn by_length(
    encodings: &[Encoding],
    batches: Batches,
    mut run: impl FnMut(&Packed, &[usize]) -> Result<(), ModelError>,
) -> Result<usize, ModelError> {
    let length = |index: usize| encodings.get(index).map_or(0, Encoding::len);
    // An empty sequence has nothing to be computed.
    let mut order: Vec<usize> = (0..encodings.len()).filter(|&index| length(index) > 0).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(length(index)));
    let (mut rest, mut tokens) = (order.as_slice(), 0);
    while !rest.is_empty() {
        let mut held = 0;
        let fits = |&&index: &&usize| {
            held += length(index);
            held <= batches.tokens
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (batch, later) = rest.split_at(count);
        let mut packed = Packed::default();
        batch
            .iter()
            .filter_map(|&index| encodings.get(index))
            .for_each(|encoding| {
                let texts = if batches.pairs {
                    encoding.get_type_ids()
                } else {
                    &[]
                };
                packed.push_pair(encoding.get_ids(), texts);
            });
        tokens += packed.tokens();
        run(&packed, batch)?;
        rest = later;
    }
    Ok(tokens)
}
