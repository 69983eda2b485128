//! What is asked: the configured questions, and sentences of the chunks themselves.

use std::collections::{BTreeMap, HashSet};

use futures::TryStreamExt;
use twinloom_operators::retrieve::Config;
use twinloom_sdk::{Context, OperatorError};
use twinloom_store::ReadOptions;

use super::Query;
use crate::train::documents::texts;

/// A sentence of fewer words asks nothing.
const FEWEST_WORDS: usize = 6;

/// A query holds at most so many words.
const MOST_WORDS: usize = 40;

/// The configured questions, then a sample of sentences that is decided by the chunks alone.
///
/// # Errors
/// What the store says.
pub async fn queries(context: &Context, config: &Config) -> Result<Vec<Query>, OperatorError> {
    let asked = config.queries.iter().filter(|text| !text.trim().is_empty());
    let mut all: Vec<Query> = asked
        .map(|text| Query {
            text: text.clone(),
            expected: None,
        })
        .collect();
    let manifest = context.dataset("chunks").await?;
    let columns = Some(["document_id", "text"].map(str::to_owned).to_vec());
    let mut rows = context.store().read(
        &manifest,
        ReadOptions {
            columns,
            ..ReadOptions::default()
        },
    );
    let mut chosen: BTreeMap<[u8; 32], Query> = BTreeMap::new();
    while let Some(batch) = rows.try_next().await? {
        context.check_cancelled()?;
        for (document, text) in texts(&batch, "document_id")?.iter().zip(texts(&batch, "text")?) {
            let (Some(document), Some(sentence)) = (document, text.and_then(sentence)) else {
                continue;
            };
            let hash = blake3::hash(format!("{document}\0{sentence}").as_bytes());
            chosen.insert(
                *hash.as_bytes(),
                Query {
                    text: sentence,
                    expected: Some(document.to_owned()),
                },
            );
            if chosen.len() > config.self_queries {
                chosen.pop_last();
            }
        }
    }
    all.extend(chosen.into_values());
    // The rows of the output are told apart by their query.
    let mut seen = HashSet::new();
    all.retain(|query| seen.insert(query.text.clone()));
    Ok(all)
}

/// The middle one of a text's sentences that are long enough: the beginning is often a heading.
pub fn sentence(text: &str) -> Option<String> {
    let ends = |c: char| matches!(c, '.' | '!' | '?' | '\n');
    let long: Vec<&str> = text
        .split(ends)
        .map(str::trim)
        .filter(|part| part.split_whitespace().count() >= FEWEST_WORDS)
        .collect();
    let words: Vec<&str> = long
        .get(long.len() / 2)?
        .split_whitespace()
        .take(MOST_WORDS)
        .collect();
    Some(words.join(" "))
}
