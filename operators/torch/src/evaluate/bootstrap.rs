//! Intervals by resampling documents: rows of a document hang together, documents do not.

use crate::train::random::Random;

/// A figure with the interval that covers it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Interval {
    /// The figure over all documents.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// The same of another unit, by a function that rises.
    #[must_use]
    pub fn map(self, rising: impl Fn(f64) -> f64) -> Self {
        Self {
            value: rising(self.value),
            low: rising(self.low),
            high: rising(self.high),
        }
    }
}

/// One document's part of a ratio: the sum of a figure over its tokens (or bytes), and their number.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Part {
    /// Sum of the figure.
    pub sum: f64,
    /// What it is divided by.
    pub weight: f64,
}

/// The ratio of sums over all parts, with a percentile interval. For a paired comparison a part's sum is the difference
/// of the two models on that document. Zero without parts.
#[must_use]
pub fn interval(parts: &[Part], resamples: usize, confidence: f64, seed: u64) -> Interval {
    if parts.is_empty() {
        return Interval::default();
    }
    let value = ratio(parts.iter());
    let mut random = Random::new(seed, parts.len() as u64);
    let mut drawn: Vec<f64> = (0..resamples)
        .map(|_| ratio((0..parts.len()).filter_map(|_| parts.get(random.below(parts.len())))))
        .collect();
    drawn.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    Interval {
        value,
        low: quantile(&drawn, tail),
        high: quantile(&drawn, 1.0 - tail),
    }
}

/// The value below which a share of sorted values lies, linear between neighbours; 0 without values.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index into a slice"
)]
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * sorted.len().saturating_sub(1) as f64;
    let at = |index: usize| sorted.get(index).or(sorted.last()).copied().unwrap_or_default();
    let (below, above) = (at(place.floor() as usize), at(place.ceil() as usize));
    below + (above - below) * place.fract()
}

fn ratio<'a>(parts: impl Iterator<Item = &'a Part>) -> f64 {
    let all = parts.fold(Part::default(), |all, part| Part {
        sum: all.sum + part.sum,
        weight: all.weight + part.weight,
    });
    if all.weight > 0.0 {
        all.sum / all.weight
    } else {
        0.0
    }
}
