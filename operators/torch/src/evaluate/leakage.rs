//! Held-out text that occurs in training text: n-grams of words, compared by hash.

use std::collections::HashMap;

/// A text of fewer words than an n-gram counts as one gram, if it has this many: shorter ones ("Fix typo") repeat by
/// chance.
const FEWEST_WORDS: usize = 6;

/// The held-out rows' n-grams; training texts are shown to it one after another, so that memory hangs on the held-out
/// rows alone.
pub struct LeakageCheck {
    ngram: usize,
    seen: HashMap<u64, bool>,
    rows: Vec<Vec<u64>>,
}

impl LeakageCheck {
    /// A check of these held-out texts.
    pub fn new<'a>(texts: impl Iterator<Item = &'a str>, ngram: usize) -> Self {
        let rows: Vec<Vec<u64>> = texts.map(|text| grams(text, ngram)).collect();
        let seen = rows.iter().flatten().map(|gram| (*gram, false)).collect();
        Self { ngram, seen, rows }
    }

    /// Looks at a training text.
    pub fn show(&mut self, text: &str) {
        for gram in grams(text, self.ngram) {
            if let Some(seen) = self.seen.get_mut(&gram) {
                *seen = true;
            }
        }
    }

    /// Of each held-out text the share of its n-grams that occurred; 0 for one too short to tell.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a count of n-grams of a text")]
    pub fn overlaps(&self) -> Vec<f64> {
        let share = |grams: &Vec<u64>| {
            let seen = grams
                .iter()
                .filter(|gram| self.seen.get(gram).copied().unwrap_or(false))
                .count();
            if grams.is_empty() {
                0.0
            } else {
                seen as f64 / grams.len() as f64
            }
        };
        self.rows.iter().map(share).collect()
    }
}

/// Hashes of all runs of `n` words; case and punctuation do not count.
fn grams(text: &str, n: usize) -> Vec<u64> {
    let words: Vec<u64> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| hash(word.to_lowercase().as_bytes()))
        .collect();
    if words.len() < n {
        return if words.len() < FEWEST_WORDS {
            Vec::new()
        } else {
            vec![combine(&words)]
        };
    }
    words.windows(n).map(combine).collect()
}

/// Order counts.
fn combine(words: &[u64]) -> u64 {
    words.iter().fold(0xCBF2_9CE4_8422_2325, |all, word| {
        (all ^ word).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(23)
    })
}

fn hash(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    hash.as_bytes()
        .iter()
        .take(8)
        .fold(0, |all, byte| (all << 8) | u64::from(*byte))
}
