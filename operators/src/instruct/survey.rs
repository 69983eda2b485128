//! The first look at all documents: which are near-duplicates of others, and which are held out.

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::array::{Array, RecordBatch};
use futures::TryStreamExt;
use twinloom_sdk::{Context, OperatorError};
use twinloom_store::{DatasetManifest, ReadOptions};

use super::{
    Config,
    config::{NearDuplicates, SplitBy, SplitConfig},
};
use crate::{
    split::{Split, group_hash, group_key, split_of, split_of_hash},
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
    /// Whether pairs are made of documents like it.
    used: bool,
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
            ["id", "category", "title", "text", "published_at"]
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
            let settings = config.clone();
            seen.extend(tokio::task::spawn_blocking(move || look(&settings, &rows)).await??);
            context.progress(seen.len() as u64, Some(manifest.data.rows), "documents looked at");
        }
        let left_out = duplicates(&config.near_duplicates, &seen);
        // What gives no pairs decides nothing: not what is newest, nor how many documents there are.
        let kept = seen
            .iter()
            .filter(|document| document.used && !left_out.contains_key(&document.id));
        let (held_out, by_hash) = match config.split.by {
            SplitBy::Document => match first_by_hash(kept, &config.split) {
                Some(groups) => (groups, None),
                None => (HashSet::new(), Some(config.split.share)),
            },
            SplitBy::Time => (newest(kept, &config.split)?, None),
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
            None if self.held_out.contains(&group_hash(&key)) => Split::Eval,
            None => Split::Train,
        }
    }
}

fn look(config: &Config, rows: &RecordBatch) -> Result<Vec<Seen>, OperatorError> {
    let sign = config.near_duplicates.remove;
    let wanted = |category: &str| config.categories.iter().any(|one| one.as_str() == category);
    let categories = texts(rows, "category")?;
    let (ids, titles, bodies) = (texts(rows, "id")?, texts(rows, "title")?, texts(rows, "text")?);
    let published = times(rows, "published_at")?;
    let seen = |row: usize| {
        let text = bodies.value(row);
        Seen {
            id: ids.value(row).to_owned(),
            signature: if sign { Signature::new(text) } else { None },
            group: group_hash(&group_key(value(titles, row), text)),
            published: published.is_valid(row).then(|| published.value(row)),
            bytes: text.len(),
            used: wanted(categories.value(row))
                && text
                    .chars()
                    .nth(config.min_answer_chars.saturating_sub(1))
                    .is_some(),
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

/// The groups that are first by their hash, where the share alone would hold out fewer than `at_least` documents; the
/// order is that of [`split_of`], so that a larger share only adds to them. `None` where the share is enough.
fn first_by_hash<'a>(documents: impl Iterator<Item = &'a Seen>, split: &SplitConfig) -> Option<HashSet<u64>> {
    let mut groups: BTreeMap<u64, usize> = BTreeMap::new();
    let (mut all, mut held) = (0, 0);
    for document in documents {
        *groups.entry(document.group).or_default() += 1;
        all += 1;
        held += usize::from(split_of_hash(document.group, split.share) == Split::Eval);
    }
    // Half of a few documents is left to learn from.
    let wanted = split.at_least.min(all / 2);
    if held >= wanted || split.share == 0.0 {
        return None;
    }
    let (mut held, mut first) = (0, HashSet::new());
    for (group, documents) in groups {
        if held < wanted && held + documents <= all / 2 {
            held += documents;
            first.insert(group);
        }
    }
    Some(first)
}

/// Groups whose first document is among the newest `share` of those that have a date, `at_least` of them.
fn newest<'a>(
    documents: impl Iterator<Item = &'a Seen>,
    split: &SplitConfig,
) -> Result<HashSet<u64>, OperatorError> {
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
    let mut held = (dated.len() as f64 * split.share).ceil() as usize;
    if held > 0 {
        held = held.max(split.at_least.min(dated.len() / 2));
    }
    Ok(dated
        .into_iter()
        .rev()
        .take(held)
        .map(|(_, group)| group)
        .collect())
}
