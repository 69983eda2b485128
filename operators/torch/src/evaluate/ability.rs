//! Everyday questions: what tuning may cost. An item is right where the right ending is the likeliest, by its likelihood
//! for each byte, so that a long ending is no worse for being long.

use std::path::Path;

use serde::Deserialize;
use twinloom_sdk::OperatorError;

use crate::{
    generate::TextModel,
    train::{losses, tokens::TokenWriter},
};

/// Items written for this project.
const SHIPPED: &str = include_str!("sets/ability.jsonl");

/// The beginning of a sentence, and endings of which one is right.
#[derive(Debug, Clone, Deserialize)]
pub struct Item {
    /// The beginning.
    pub prompt: String,
    /// Endings.
    pub choices: Vec<String>,
    /// The place of the right one.
    pub answer: usize,
}

/// The shipped set.
///
/// # Errors
/// `evaluate.set` where it cannot be read, which a test rules out.
pub fn items() -> Result<Vec<Item>, OperatorError> {
    let read = |line| serde_json::from_str(line).map_err(|error| OperatorError::bug("evaluate.set", error));
    SHIPPED.lines().map(read).collect()
}

/// What guessing comes to.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a handful of choices")]
pub fn chance(items: &[Item]) -> f64 {
    let sum: f64 = items
        .iter()
        .map(|item| 1.0 / item.choices.len().max(1) as f64)
        .sum();
    sum / items.len().max(1) as f64
}

/// Of each item whether the model finds the right ending likeliest.
///
/// # Errors
/// What `pause` says, or what the model does.
#[expect(clippy::cast_precision_loss, reason = "bytes of an ending")]
pub fn answers(
    model: &TextModel,
    items: &[Item],
    work: &Path,
    pause: impl FnMut() -> Result<(), OperatorError>,
) -> Result<Vec<bool>, OperatorError> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let mut writer = TokenWriter::create(&work.join("ability.tokens"))?;
    let mut bytes = Vec::new();
    for item in items {
        let mut prompt: Vec<u32> = model.tokenizer().bos().into_iter().collect();
        prompt.extend(model.tokenizer().encode(&item.prompt)?);
        for choice in &item.choices {
            let ending = model.tokenizer().encode(&format!(" {choice}."))?;
            let tokens: Vec<u32> = prompt.iter().chain(&ending).copied().collect();
            model.tokenizer().check_ids(&tokens, model.vocabulary())?;
            writer.push(&tokens, prompt.len())?;
            bytes.push(choice.len() + 2);
        }
    }
    let file = writer.finish()?;
    let each = losses(model.decoder(), &file, file.sequences(), pause)?;
    let mut costs = each
        .into_iter()
        .zip(bytes)
        .map(|(loss, bytes)| loss.sum / bytes as f64);
    let right = |item: &Item| {
        let own: Vec<f64> = costs.by_ref().take(item.choices.len()).collect();
        let least = own
            .iter()
            .enumerate()
            .min_by(|a, b| a.1.total_cmp(b.1))
            .map(|(place, _)| place);
        least == Some(item.answer)
    };
    Ok(items.iter().map(right).collect())
}
