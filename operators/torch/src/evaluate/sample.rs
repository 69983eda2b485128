//! The rows that are looked at: a sample decided by the rows themselves, in bounded memory.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use twinloom_operators::evaluate::Config;
use twinloom_sdk::{Context, OperatorError};

use super::leakage::{LeakageCheck, Overlap};
use crate::train::rows::{Row, rows};

/// Training rows that the author's style is taken from.
const STYLE_ROWS: usize = 256;

/// The rows of both sides that are looked at.
pub struct Sample {
    /// Held-out rows that are measured.
    pub held: Vec<Row>,
    /// Held-out rows that were looked at and are leaked, with what was found.
    pub leaked: Vec<(Row, Overlap)>,
    /// Training rows: probes first.
    pub train: Vec<Row>,
    /// Held-out rows there are.
    pub held_total: usize,
    /// Training rows there are.
    pub train_total: usize,
}

impl Sample {
    /// Share of looked-at held-out rows that are leaked.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
    pub fn leaked_share(&self) -> f64 {
        let all = self.held.len() + self.leaked.len();
        if all == 0 {
            0.0
        } else {
            self.leaked.len() as f64 / all as f64
        }
    }
}

/// Reads the rows twice: to choose, then to compare every training answer with the chosen held-out ones.
///
/// # Errors
/// `evaluate.no_held_out`, `evaluate.leakage`, or what the store says.
pub async fn sample(context: &Context, config: &Config) -> Result<Sample, OperatorError> {
    let (mut held, mut train) = (
        Chosen::new(config.max_rows),
        Chosen::new(STYLE_ROWS.max(config.memorisation.probes)),
    );
    let mut all = rows(context).await?;
    while let Some(row) = all.try_next().await? {
        context.check_cancelled()?;
        if row.eval {
            held.offer(row)
        } else {
            train.offer(row)
        }
    }
    if held.seen == 0 {
        return Err(OperatorError::data(
            "evaluate.no_held_out",
            "no row of `instruct` has the split `eval`",
            "Add documents, or raise `split.share` of `instruct`.",
        ));
    }
    let (held_total, train_total) = (held.seen, train.seen);
    let looked: Vec<Row> = held.into_rows();
    let mut check = LeakageCheck::new(
        looked.iter().map(|row| row.answer.as_str()),
        config.leakage.ngram,
        config.leakage.similarity,
    );
    let mut all = rows(context).await?;
    let mut read = 0;
    while let Some(row) = all.try_next().await? {
        context.check_cancelled()?;
        read += 1;
        context.progress(read, Some((held_total + train_total) as u64), "rows");
        if !row.eval {
            check.show(&row.document, &row.answer);
        }
    }
    let overlaps = check.overlaps();
    let (mut held, mut leaked) = (Vec::new(), Vec::new());
    for (row, overlap) in looked.into_iter().zip(overlaps) {
        let found = overlap.share > 0.0 || overlap.similarity > 0.0;
        let most =
            overlap.share >= config.leakage.row_overlap || overlap.similarity >= config.leakage.similarity;
        if found && most {
            leaked.push((row, overlap))
        } else {
            held.push(row)
        }
    }
    let sample = Sample {
        held,
        leaked,
        train: train.into_rows(),
        held_total,
        train_total,
    };
    refuse_leaks(config, &sample)?;
    Ok(sample)
}

fn refuse_leaks(config: &Config, sample: &Sample) -> Result<(), OperatorError> {
    let share = sample.leaked_share();
    if share <= config.leakage.max_share && !sample.held.is_empty() {
        return Ok(());
    }
    let row = |(row, overlap): &(Row, Overlap)| {
        let start: String = row.answer.chars().take(40).collect();
        let source = overlap.source.as_deref().unwrap_or("the training rows");
        format!("\"{}…\" of {} in {source}", start.escape_debug(), row.document)
    };
    let named: Vec<String> = sample.leaked.iter().take(5).map(row).collect();
    Err(OperatorError::data(
        "evaluate.leakage",
        format!(
            "{} of {} held-out rows stand in the training rows ({:.0}%, {:.0}% are allowed), among them {}",
            sample.leaked.len(),
            sample.leaked.len() + sample.held.len(),
            share * 100.0,
            config.leakage.max_share * 100.0,
            named.join("; "),
        ),
        "Let `instruct` make the rows with `near_duplicates` and `decontaminate` on, as they are by default; rows of your own need each text on one side only.",
    ))
}

/// The rows with the smallest hashes: the same whatever order rows come in.
struct Chosen {
    most: usize,
    seen: usize,
    rows: BTreeMap<[u8; 32], Row>,
}

impl Chosen {
    fn new(most: usize) -> Self {
        Self {
            most,
            seen: 0,
            rows: BTreeMap::new(),
        }
    }

    fn offer(&mut self, row: Row) {
        self.seen += 1;
        let mut hasher = blake3::Hasher::new();
        for part in [&row.document, &row.instruction, &row.answer] {
            hasher.update(part.as_bytes()).update(&[0]);
        }
        self.rows.insert(*hasher.finalize().as_bytes(), row);
        if self.rows.len() > self.most {
            self.rows.pop_last();
        }
    }

    fn into_rows(self) -> Vec<Row> {
        self.rows.into_values().collect()
    }
}
