//! Near-duplicates: MinHash over runs of words, and the pairs that it finds by bands.
//!
//! Broder 1997 for the signature, Leskovec et al., Mining of Massive Datasets, chapter 3 for the bands. With 32 bands of
//! four, two texts of 0.8 in common meet with a probability of 0.9999, two of 0.3 with 0.23, and are then compared.

use std::collections::HashMap;

/// Words of a run.
const SHINGLE: usize = 5;

/// Shorter texts ("Fix typo") repeat by chance: they say nothing about what a text was copied from.
pub const FEWEST_WORDS: usize = 6;

/// Hashes of a signature.
const HASHES: usize = 128;

/// Bands that it is cut into.
const BANDS: usize = 32;

/// Kept texts that one band is compared with: a bound on the time that texts of the same boilerplate take.
const MOST_CANDIDATES: usize = 64;

/// What a text is recognised by: 256 bytes, however long it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    bits: [u8; HASHES],
    bands: [u32; BANDS],
}

impl Signature {
    /// The signature of a text; `None` for one without words. Case and punctuation do not count.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut least = [u32::MAX; HASHES];
        let mut any = false;
        shingles(text, SHINGLE, |shingle| {
            any = true;
            let mut state = shingle;
            for slot in &mut least {
                // A step of splitmix64 for each hash: independent enough, and no table.
                state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let hash = high(mixed(state));
                *slot = (*slot).min(hash);
            }
        });
        if !any {
            return None;
        }
        let mut bands = [0; BANDS];
        for (band, rows) in bands.iter_mut().zip(least.chunks(HASHES / BANDS)) {
            *band = high(rows.iter().fold(0, |all, row| mixed(all ^ u64::from(*row))));
        }
        #[expect(clippy::cast_possible_truncation, reason = "eight bits of each hash are kept")]
        let bits = least.map(|hash| hash as u8);
        Some(Self { bits, bands })
    }

    /// About how much two texts have in common (Jaccard, of their runs of words), from 0 to 1.
    #[must_use]
    pub fn similarity(&self, other: &Self) -> f64 {
        let equal = self.bits.iter().zip(&other.bits).filter(|(a, b)| a == b).count();
        #[expect(clippy::cast_precision_loss, reason = "at most 128")]
        let equal = equal as f64 / HASHES as f64;
        // Eight bits agree by chance once in 256 times.
        let chance = 1.0 / 256.0;
        ((equal - chance) / (1.0 - chance)).clamp(0.0, 1.0)
    }
}

/// Texts to compare others with.
#[derive(Default)]
pub struct Index {
    bands: HashMap<(u8, u32), Vec<u32>>,
    kept: Vec<(usize, Signature)>,
}

impl Index {
    /// Nothing to compare with yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text under a number of the caller's.
    pub fn insert(&mut self, number: usize, signature: Signature) {
        let place = u32::try_from(self.kept.len()).unwrap_or(u32::MAX);
        for (band, value) in (0_u8..).zip(signature.bands) {
            let bucket = self.bands.entry((band, value)).or_default();
            if bucket.len() < MOST_CANDIDATES {
                bucket.push(place);
            }
        }
        self.kept.push((number, signature));
    }

    /// The texts that have at least `threshold` in common with this one, with how much, nearest first.
    #[must_use]
    pub fn near(&self, signature: &Signature, threshold: f64) -> Vec<(usize, f64)> {
        let mut places: Vec<u32> = (0_u8..)
            .zip(signature.bands)
            .filter_map(|(band, value)| self.bands.get(&(band, value)))
            .flatten()
            .copied()
            .collect();
        places.sort_unstable();
        places.dedup();
        let mut found: Vec<(usize, f64)> = places
            .into_iter()
            .filter_map(|place| self.kept.get(place as usize))
            .map(|(number, kept)| (*number, kept.similarity(signature)))
            .filter(|(_, similarity)| *similarity >= threshold)
            .collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found
    }
}

/// Goes through texts in the order of `first`, and leaves out each that is near one kept before it: of each text left
/// out the kept one, with how much they have in common. Texts without a signature are kept.
#[must_use]
pub fn near_duplicates(
    signatures: &[Option<Signature>],
    first: &[usize],
    threshold: f64,
) -> HashMap<usize, (usize, f64)> {
    let (mut index, mut left_out) = (Index::new(), HashMap::new());
    for &number in first {
        let Some(Some(signature)) = signatures.get(number) else {
            continue;
        };
        match index.near(signature, threshold).first() {
            Some(&(kept, similarity)) => drop(left_out.insert(number, (kept, similarity))),
            None => index.insert(number, signature.clone()),
        }
    }
    left_out
}

/// Hashes of a text's words, in order; case and punctuation do not count. In writing without spaces each letter is one.
pub fn words(text: &str) -> impl Iterator<Item = u64> {
    text.split(|c: char| !c.is_alphanumeric()).flat_map(|piece| {
        let spaceless = |c: char| matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}');
        let whole = (!piece.is_empty() && !piece.chars().any(spaceless)).then(|| hash(&piece.to_lowercase()));
        let letters = whole.is_none().then(|| {
            piece.chars().map(|c| {
                let mut bytes = [0; 4];
                hash(c.encode_utf8(&mut bytes))
            })
        });
        whole.into_iter().chain(letters.into_iter().flatten())
    })
}

/// Hashes of all runs of `n` words, to `see`; of a shorter text all its words as one run.
pub fn shingles(text: &str, n: usize, mut see: impl FnMut(u64)) {
    let mut window = std::collections::VecDeque::with_capacity(n);
    let mut full = false;
    for word in words(text) {
        if window.len() == n {
            window.pop_front();
        }
        window.push_back(word);
        if window.len() == n {
            full = true;
            see(run(&window));
        }
    }
    if !full && !window.is_empty() {
        see(run(&window));
    }
}

/// Hashes of all runs of `n` words, as [`shingles`]; none of a text of fewer than [`FEWEST_WORDS`].
#[must_use]
pub fn ngrams(text: &str, n: usize) -> Vec<u64> {
    if words(text).take(FEWEST_WORDS).count() < FEWEST_WORDS {
        return Vec::new();
    }
    let mut found = Vec::new();
    shingles(text, n, |gram| found.push(gram));
    found
}

/// Order counts.
fn run(words: &std::collections::VecDeque<u64>) -> u64 {
    words
        .iter()
        .fold(0x51_7C_C1_B7_27_22_0A_95, |all, word| mixed(all ^ word))
}

fn hash(word: &str) -> u64 {
    // FNV-1a, then mixed: words are short, and nobody gains by making them collide.
    let fnv = word.bytes().fold(0xCBF2_9CE4_8422_2325, |all: u64, byte| {
        (all ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    mixed(fnv)
}

fn mixed(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The high half.
fn high(x: u64) -> u32 {
    (x >> 32) as u32
}
