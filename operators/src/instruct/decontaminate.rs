//! Held-out text in training pairs: an author quotes themselves, and what was held out would be trained on after all.
//!
//! Runs of 13 words, as Brown et al. 2020 (GPT-3), appendix C; here the training pair goes, the held-out one stays.

use std::{collections::HashMap, sync::Arc};

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use twinloom_sdk::{Context, OperatorError};
use twinloom_store::{DatasetManifest, ReadOptions};

use super::{
    Config, pairs,
    rows::{BATCH, Columns, kept},
    survey::Survey,
};
use crate::{split::Split, text::near::ngrams};

/// The n-grams of all held-out answers: 16 bytes each.
#[derive(Default)]
pub struct HeldOut {
    ngram: usize,
    overlap: f64,
    /// N-gram and answer, sorted.
    grams: Vec<(u64, u32)>,
    /// N-grams of each answer.
    sizes: Vec<u32>,
}

impl HeldOut {
    /// Reads the held-out documents; nothing is in the way of training where `decontaminate.remove` is off.
    ///
    /// # Errors
    /// What the store says.
    pub async fn read(
        context: &Context,
        config: &Arc<Config>,
        survey: &Arc<Survey>,
        manifest: &DatasetManifest,
    ) -> Result<Self, OperatorError> {
        let mut held = Self {
            ngram: config.decontaminate.ngram,
            overlap: config.decontaminate.overlap,
            ..Self::default()
        };
        if !config.decontaminate.remove {
            return Ok(held);
        }
        let options = ReadOptions {
            batch_size: Some(BATCH),
            ..ReadOptions::default()
        };
        let mut batches = context.store().read(manifest, options);
        while let Some(rows) = batches.try_next().await? {
            context.check_cancelled()?;
            let (config, survey) = (Arc::clone(config), Arc::clone(survey));
            held = tokio::task::spawn_blocking(move || held.with(&config, &survey, &rows)).await??;
        }
        held.grams.sort_unstable();
        Ok(held)
    }

    fn with(mut self, config: &Config, survey: &Survey, rows: &RecordBatch) -> Result<Self, OperatorError> {
        let rows = kept(survey, rows)?;
        let columns = Columns::of(&rows)?;
        let held_out =
            |document: &super::Document<'_>| survey.side(document.title, document.text) == Split::Eval;
        for document in columns.documents(config).filter(held_out) {
            for pair in pairs(&document, config) {
                self.add(&document.text[pair.answer]);
            }
        }
        Ok(self)
    }

    fn add(&mut self, answer: &str) {
        let (Ok(number), grams) = (u32::try_from(self.sizes.len()), self.grams_of([answer])) else {
            return;
        };
        self.sizes.push(u32::try_from(grams.len()).unwrap_or(u32::MAX));
        self.grams.extend(grams.into_iter().map(|gram| (gram, number)));
    }

    /// Whether this pair holds at least `overlap` of one held-out answer's n-grams.
    #[must_use]
    pub fn is_in(&self, instruction: &str, answer: &str) -> bool {
        if self.grams.is_empty() {
            return false;
        }
        let mut shared: HashMap<u32, u32> = HashMap::new();
        for gram in self.grams_of([instruction, answer]) {
            let from = self.grams.partition_point(|(held, _)| *held < gram);
            let same = self.grams[from..].iter().take_while(|(held, _)| *held == gram);
            for (_, number) in same {
                *shared.entry(*number).or_default() += 1;
            }
        }
        shared.into_iter().any(|(number, count)| {
            let size = self.sizes.get(number as usize).copied().unwrap_or(u32::MAX);
            f64::from(count) >= f64::from(size) * self.overlap
        })
    }

    /// Each once.
    fn grams_of<const N: usize>(&self, texts: [&str; N]) -> Vec<u64> {
        let mut grams: Vec<u64> = texts.iter().flat_map(|text| ngrams(text, self.ngram)).collect();
        grams.sort_unstable();
        grams.dedup();
        grams
    }
}
