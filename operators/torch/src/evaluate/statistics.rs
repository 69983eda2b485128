//! Intervals of a model alone, and of pairs of models on the same documents.

use std::{collections::BTreeMap, f64::consts::LN_2};

use super::{
    bootstrap::{Interval, Part, interval},
    measure::Covered,
};

/// Loss by document.
pub type Documents = BTreeMap<String, Covered>;

/// How intervals are made.
pub struct Statistics {
    /// Resamples of the bootstrap.
    pub resamples: usize,
    /// Share that an interval covers.
    pub confidence: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts of tokens and bytes")]
impl Statistics {
    /// Nats a token.
    pub fn loss(&self, of: &Documents) -> Interval {
        self.interval(of.values().map(|all| Part {
            sum: all.loss.sum,
            weight: all.loss.tokens as f64,
        }))
    }

    /// Bits a byte.
    pub fn bits(&self, of: &Documents) -> Interval {
        self.interval(of.values().map(|all| Part {
            sum: all.loss.sum / LN_2,
            weight: all.bytes as f64,
        }))
    }

    /// Bits a byte of `a` less those of `b`, by document. Works across tokenizers.
    pub fn bits_difference(&self, a: &Documents, b: &Documents) -> Interval {
        self.interval(pairs(a, b).map(|(_, a, b)| {
            let weight = a.bytes.min(b.bytes) as f64;
            Part {
                sum: (bits(a) - bits(b)) * weight,
                weight,
            }
        }))
    }

    /// Nats a token of `a` less those of `b`, by document. For one tokenizer; else nats a token of `b` for equal text.
    pub fn loss_difference(&self, a: &Documents, b: &Documents) -> Interval {
        self.interval(pairs(a, b).map(|(_, a, b)| {
            // With one tokenizer and context, both covered the same tokens and this factor is 1.
            let same_text = if b.bytes == 0 {
                1.0
            } else {
                a.bytes as f64 / b.bytes as f64
            };
            Part {
                sum: a.loss.sum - b.loss.sum * same_text,
                weight: a.loss.tokens as f64,
            }
        }))
    }

    /// The mean of some values.
    pub fn mean(&self, values: impl Iterator<Item = f64>) -> Interval {
        self.interval(values.map(|sum| Part { sum, weight: 1.0 }))
    }

    fn interval(&self, parts: impl Iterator<Item = Part>) -> Interval {
        let parts: Vec<Part> = parts.collect();
        interval(&parts, self.resamples, self.confidence, 0)
    }
}

/// Documents that both have, in the order of their ids.
pub fn pairs<'a>(
    a: &'a Documents,
    b: &'a Documents,
) -> impl Iterator<Item = (&'a String, &'a Covered, &'a Covered)> {
    a.iter()
        .filter_map(|(document, own)| Some((document, own, b.get(document)?)))
}

#[expect(clippy::cast_precision_loss, reason = "a count of bytes")]
fn bits(of: &Covered) -> f64 {
    of.loss.sum / LN_2 / (of.bytes.max(1) as f64)
}
