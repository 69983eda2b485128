//! Does a model recite? Its greedy continuation of a training text against what the text goes on with.

use std::collections::HashSet;

use twinloom_operators::text::near::shingles;

/// Tokens of the longest run that both sequences have.
#[must_use]
pub fn longest_common_span(a: &[u32], b: &[u32]) -> usize {
    // One row of the classic table: lengths of common runs that end at each place of `b`.
    let mut row = vec![0_usize; b.len() + 1];
    let mut longest = 0;
    for x in a {
        let mut diagonal = 0;
        for (place, y) in row.iter_mut().skip(1).zip(b) {
            let above = *place;
            *place = if x == y { diagonal + 1 } else { 0 };
            longest = longest.max(*place);
            diagonal = above;
        }
    }
    longest
}

/// The longest run as a share of the continuation; 0 for an empty one.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a count of tokens")]
pub fn recited_share(continuation: &[u32], truth: &[u32]) -> f64 {
    if continuation.is_empty() {
        return 0.0;
    }
    longest_common_span(continuation, truth) as f64 / continuation.len() as f64
}

/// The middle value; the mean of both where there are two; 0 without values.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    super::bootstrap::quantile(&sorted, 0.5)
}

/// Tokens that a continuation has to repeat from its start to count as extracted.
const EXTRACTED: usize = 32;

/// Whether a continuation repeats the truth word for word from its start.
#[must_use]
pub fn is_extracted(continuation: &[u32], truth: &[u32]) -> bool {
    let length = EXTRACTED.min(continuation.len()).min(truth.len());
    length > 0 && continuation.get(..length) == truth.get(..length)
}

/// Words of a run that is looked for in training text.
const RUN: usize = 8;

/// Runs of words of training texts.
#[derive(Debug, Clone, Default)]
pub struct Runs(HashSet<u64>);

impl Runs {
    /// The runs of these texts.
    pub fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut runs = HashSet::new();
        for text in texts {
            shingles(text, RUN, |run| {
                runs.insert(run);
            });
        }
        Self(runs)
    }

    /// Share of the runs of what was written that stand in the training texts; 0 without runs.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a count of runs")]
    pub fn share(&self, written: &[String]) -> f64 {
        let (mut all, mut found) = (0_usize, 0_usize);
        for text in written {
            shingles(text, RUN, |run| {
                all += 1;
                found += usize::from(self.0.contains(&run));
            });
        }
        found as f64 / all.max(1) as f64
    }
}
