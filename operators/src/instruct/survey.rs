//! The first look at all documents: which are near-duplicates of others, and which are held out.

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, RecordBatch};
use futures::TryStreamExt;
use twinloom_sdk::{Context, OperatorError};
use twinloom_store::{DatasetManifest, ReadOptions};

use super::{
    Config,
    config::{NearDuplicates, SplitBy},
};
use crate::{
    split::{Split, group_key, split_of},
    text::{
        columns::{texts, times, value},
        near::{Signature, near_duplicates},
    },
};

/// What was found: a few hundred bytes a document, however long the documents are.
pub struct Survey {
    /// Documents there are.
    pub documents: usize,
    left_out: HashMap<String, (String, f64)>,
    held_out: HashSet<u64>,
    by_hash: Option<f64>,
}

/// A document as far as the survey remembers it.
struct Seen {
    id: String,
    signature: Option<Signature>,
    group: u64,
    published: Option<i64>,
    bytes: usize,
}

impl Survey {
    /// Reads every document once.
    ///
    /// # Errors
    /// `instruct.no_dates` where the split is by time and fewer than two texts have a date; what the store says.
    pub async fn make(
        context: &Context,
        config: &Config,
        manifest: &DatasetManifest,
    ) -> Result<Self, OperatorError> {
        let columns = Some(
            ["id", "title", "text", "published_at"]
                .map(str::to_owned)
                .to_vec(),
        );
        let options = ReadOptions {
            columns,
            batch_size: Some(256),
            ..ReadOptions::default()
        };
        let mut batches = context.store().read(manifest, options);
        let mut seen: Vec<Seen> = Vec::new();
        while let Some(rows) = batches.try_next().await? {
            context.check_cancelled()?;
            let remove = config.near_duplicates.remove;
            seen.extend(tokio::task::spawn_blocking(move || look(&rows, remove)).await??);
            context.progress(seen.len() as u64, Some(manifest.data.rows), "documents looked at");
        }
        let left_out = duplicates(&config.near_duplicates, &seen);
        let (held_out, by_hash) = match config.split.by {
            SplitBy::Document => (HashSet::new(), Some(config.split.share)),
            SplitBy::Time => {
                let kept = seen
                    .iter()
                    .filter(|document| !left_out.contains_key(&document.id));
                (newest(kept, config.split.share)?, None)
            }
        };
        Ok(Self {
            documents: seen.len(),
            left_out,
            held_out,
            by_hash,
        })
    }

    /// The document that this one is a near-duplicate of, and about how much they have in common.
    #[must_use]
    pub fn left_out(&self, id: &str) -> Option<&(String, f64)> {
        self.left_out.get(id)
    }

    /// Near-duplicates.
    #[must_use]
    pub fn near_duplicates(&self) -> usize {
        self.left_out.len()
    }

    /// The pair that has most in common: what is left out, and what is kept.
    #[must_use]
    pub fn example(&self) -> Option<(&str, &str)> {
        let first = self
            .left_out
            .iter()
            .max_by(|a, b| a.1.1.total_cmp(&b.1.1).then(b.0.cmp(a.0)));
        first.map(|(id, (kept, _))| (id.as_str(), kept.as_str()))
    }

    /// The side of a document.
    #[must_use]
    pub fn side(&self, title: Option<&str>, text: &str) -> Split {
        let key = group_key(title, text);
        match self.by_hash {
            Some(share) => split_of(&key, share),
            None if self.held_out.contains(&group(&key)) => Split::Eval,
            None => Split::Train,
        }
    }
}

fn look(rows: &RecordBatch, sign: bool) -> Result<Vec<Seen>, OperatorError> {
    let (ids, titles, bodies) = (texts(rows, "id")?, texts(rows, "title")?, texts(rows, "text")?);
    let published = times(rows, "published_at")?;
    let seen = |row: usize| {
        let text = bodies.value(row);
        Seen {
            id: ids.value(row).to_owned(),
            signature: if sign { Signature::new(text) } else { None },
            group: group(&group_key(value(titles, row), text)),
            published: published.is_valid(row).then(|| published.value(row)),
            bytes: text.len(),
        }
    };
    Ok((0..rows.num_rows()).map(seen).collect())
}

/// Of several near-duplicates the first published is kept, of those without a date the longest, then that with the
/// smallest id: the same whatever order documents come in.
fn duplicates(config: &NearDuplicates, seen: &[Seen]) -> HashMap<String, (String, f64)> {
    let mut order: Vec<usize> = (0..seen.len()).collect();
    let rank = |place: &usize| {
        let document = &seen[*place];
        (
            document.published.unwrap_or(i64::MAX),
            std::cmp::Reverse(document.bytes),
            &document.id,
        )
    };
    order.sort_by(|a, b| rank(a).cmp(&rank(b)));
    let signatures: Vec<_> = seen.iter().map(|document| document.signature.clone()).collect();
    let id = |place: usize| seen[place].id.clone();
    near_duplicates(&signatures, &order, config.threshold)
        .into_iter()
        .map(|(place, (kept, similarity))| (id(place), (id(kept), similarity)))
        .collect()
}

/// Groups whose first document is among the newest `share` of those that have a date.
fn newest<'a>(documents: impl Iterator<Item = &'a Seen>, share: f64) -> Result<HashSet<u64>, OperatorError> {
    let mut first: HashMap<u64, i64> = HashMap::new();
    for document in documents {
        if let Some(at) = document.published {
            first
                .entry(document.group)
                .and_modify(|first| *first = at.min(*first))
                .or_insert(at);
        }
    }
    if first.len() < 2 {
        return Err(OperatorError::data(
            "instruct.no_dates",
            format!("{} documents have a date to split by", first.len()),
            "Use `split: {by: document}`, or collect from sources that give `published_at`.",
        ));
    }
    let mut dated: Vec<(i64, u64)> = first.into_iter().map(|(group, at)| (at, group)).collect();
    dated.sort_unstable();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count"
    )]
    let held = (dated.len() as f64 * share).ceil() as usize;
    Ok(dated
        .into_iter()
        .rev()
        .take(held)
        .map(|(_, group)| group)
        .collect())
}

fn group(key: &str) -> u64 {
    let hash = blake3::hash(key.as_bytes());
    hash.as_bytes()
        .iter()
        .take(8)
        .fold(0, |all, byte| (all << 8) | u64::from(*byte))
}
