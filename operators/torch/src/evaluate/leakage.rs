//! Held-out text that occurs in training text: n-grams of words, compared by hash, and near-duplicates by MinHash.

use std::collections::{HashMap, HashSet};

use twinloom_operators::text::near::{FEWEST_WORDS, Index, Signature, ngrams, words};

/// The held-out rows' n-grams and signatures; training texts are shown to it one after another, so that memory hangs on
/// the held-out rows alone.
pub struct LeakageCheck {
    ngram: usize,
    similarity: f64,
    rows: Vec<Watched>,
    /// Rows that have a gram.
    grams: HashMap<u64, Vec<u32>>,
    index: Index,
}

/// A held-out row.
#[derive(Default)]
struct Watched {
    grams: usize,
    seen: HashSet<u64>,
    /// The training document that has most of it.
    source: Option<(String, usize)>,
    /// The training document that is nearest to it, and how near.
    near: Option<(String, f64)>,
}

/// What was found of a held-out row.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlap {
    /// Share of its n-grams that occur in training text; 0 for one too short to tell.
    pub share: f64,
    /// What it has in common with the nearest training answer, where that is at least the threshold.
    pub similarity: f64,
    /// The training document that it stands in.
    pub source: Option<String>,
}

impl LeakageCheck {
    /// A check of these held-out texts. Near are those of at least `similarity`.
    pub fn new<'a>(texts: impl Iterator<Item = &'a str>, ngram: usize, similarity: f64) -> Self {
        let mut check = Self {
            ngram,
            similarity,
            rows: Vec::new(),
            grams: HashMap::new(),
            index: Index::new(),
        };
        for (number, text) in texts.enumerate() {
            let grams: HashSet<u64> = ngrams(text, ngram).into_iter().collect();
            let place = u32::try_from(number).unwrap_or(u32::MAX);
            for gram in &grams {
                check.grams.entry(*gram).or_default().push(place);
            }
            // Of a few words even two different texts may be near.
            if words(text).take(FEWEST_WORDS).count() == FEWEST_WORDS
                && let Some(signature) = Signature::new(text)
            {
                check.index.insert(number, signature);
            }
            check.rows.push(Watched {
                grams: grams.len(),
                ..Watched::default()
            });
        }
        check
    }

    /// Looks at a training text.
    pub fn show(&mut self, document: &str, text: &str) {
        let mut hits: HashMap<u32, HashSet<u64>> = HashMap::new();
        for gram in ngrams(text, self.ngram) {
            for row in self.grams.get(&gram).into_iter().flatten() {
                hits.entry(*row).or_default().insert(gram);
            }
        }
        for (row, found) in hits {
            if let Some(row) = self.rows.get_mut(row as usize) {
                if row.source.as_ref().is_none_or(|(_, most)| found.len() > *most) {
                    row.source = Some((document.to_owned(), found.len()));
                }
                row.seen.extend(found);
            }
        }
        let Some(signature) = Signature::new(text) else {
            return;
        };
        for (number, similarity) in self.index.near(&signature, self.similarity) {
            if let Some(row) = self.rows.get_mut(number)
                && row.near.as_ref().is_none_or(|(_, most)| similarity > *most)
            {
                row.near = Some((document.to_owned(), similarity));
            }
        }
    }

    /// Of each held-out text what was found.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a count of n-grams of a text")]
    pub fn overlaps(&self) -> Vec<Overlap> {
        let overlap = |row: &Watched| {
            let near = row.near.as_ref();
            Overlap {
                share: row.seen.len() as f64 / row.grams.max(1) as f64,
                similarity: near.map_or(0.0, |(_, similarity)| *similarity),
                source: near
                    .map(|(document, _)| document.clone())
                    .or_else(|| row.source.as_ref().map(|(document, _)| document.clone())),
            }
        };
        self.rows.iter().map(overlap).collect()
    }
}
