//! Style without topic: how often function words and punctuation marks are used.

use std::collections::HashMap;

use super::bootstrap::quantile;

/// Words that a writer uses whatever they write of.
const WORDS: [&str; 64] = [
    "a", "about", "all", "also", "an", "and", "are", "as", "at", "be", "because", "but", "by", "can",
    "could", "do", "for", "from", "has", "have", "how", "i", "if", "in", "into", "is", "it", "its", "just",
    "like", "more", "most", "my", "no", "not", "of", "on", "one", "only", "or", "our", "out", "so", "some",
    "such", "than", "that", "the", "their", "them", "then", "there", "they", "this", "to", "was", "we",
    "what", "when", "which", "will", "with", "would", "you",
];

const MARKS: [char; 16] = [
    '.', ',', ';', ':', '!', '?', '-', '–', '—', '(', ')', '"', '\'', '`', '*', '\n',
];

/// Parts of the author's text that the band is made of.
const PARTS: usize = 40;

/// Counts of each function word and mark, and of all other words together.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    counts: Vec<f64>,
    total: f64,
}

impl Profile {
    /// The profile of a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let words: HashMap<&str, usize> = WORDS
            .iter()
            .enumerate()
            .map(|(index, word)| (*word, index))
            .collect();
        let other = WORDS.len() + MARKS.len();
        let mut counts = vec![0.0; other + 1];
        let mut add = |index: usize| {
            if let Some(count) = counts.get_mut(index) {
                *count += 1.0;
            }
        };
        for word in text
            .split(|c: char| !c.is_alphabetic())
            .filter(|word| !word.is_empty())
        {
            add(words.get(word.to_lowercase().as_str()).copied().unwrap_or(other));
        }
        for mark in text.chars() {
            if let Some(index) = MARKS.iter().position(|known| *known == mark) {
                add(WORDS.len() + index);
            }
        }
        let total = counts.iter().sum();
        Self { counts, total }
    }

    /// Words and marks counted.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.total
    }

    /// Hellinger distance: 0 for equal frequencies, 1 for nothing in common.
    #[must_use]
    pub fn distance(&self, other: &Self) -> f64 {
        if self.total == 0.0 || other.total == 0.0 {
            return 1.0;
        }
        let pairs = self.counts.iter().zip(&other.counts);
        let common: f64 = pairs
            .map(|(a, b)| ((a / self.total) * (b / other.total)).sqrt())
            .sum();
        (1.0 - common).max(0.0).sqrt()
    }

    fn less(&self, part: &Self) -> Self {
        let counts = self
            .counts
            .iter()
            .zip(&part.counts)
            .map(|(all, own)| all - own)
            .collect();
        Self {
            counts,
            total: self.total - part.total,
        }
    }
}

/// The author's distance from themself: parts of a text against the rest of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// The middle one.
    pub median: f64,
    /// 5% are below.
    pub low: f64,
    /// 5% are above.
    pub high: f64,
}

/// The band for parts of about `size` words and marks. A part's distance hangs on its size, so it has to be that of the
/// text that is compared. `None` where the author's texts do not make five parts.
#[must_use]
pub fn band(texts: &[&str], size: f64) -> Option<Band> {
    let whole = Profile::new(&texts.join("\n"));
    let mut parts = Vec::new();
    let mut part = String::new();
    for text in texts {
        for line in text.lines() {
            part.push_str(line);
            part.push('\n');
            let profile = Profile::new(&part);
            if profile.total() >= size.max(1.0) {
                parts.push(profile);
                part.clear();
            }
        }
        if parts.len() >= PARTS {
            break;
        }
    }
    if parts.len() < 5 {
        return None;
    }
    let mut distances: Vec<f64> = parts
        .iter()
        .map(|part| part.distance(&whole.less(part)))
        .collect();
    distances.sort_by(f64::total_cmp);
    let at = |share| quantile(&distances, share);
    Some(Band {
        median: at(0.5),
        low: at(0.05),
        high: at(0.95),
    })
}
