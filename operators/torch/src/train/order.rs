//! Which sequences make which batch.

use super::{random::Random, tokens::Sequence};

/// Batches whose sequences are sorted by length among each other.
const WINDOW: usize = 16;

/// Batches of sequence numbers, pass after pass without end, decided by the seed alone. Sequences of like length share
/// a batch, so that little is padded; chance decides which, and in which order batches come.
pub struct Order {
    lengths: Vec<u32>,
    batch: usize,
    seed: u64,
    pass: u64,
    waiting: Vec<Vec<usize>>,
}

impl Order {
    /// An order over these sequences.
    #[must_use]
    pub fn new(sequences: &[Sequence], batch: usize, seed: u64) -> Self {
        let lengths = sequences.iter().map(|sequence| sequence.length).collect();
        Self {
            lengths,
            batch: batch.max(1),
            seed,
            pass: 0,
            waiting: Vec::new(),
        }
    }

    /// The next batch; empty only where there are no sequences.
    pub fn next_batch(&mut self) -> Vec<usize> {
        if self.waiting.is_empty() {
            self.refill();
        }
        self.waiting.pop().unwrap_or_default()
    }

    fn refill(&mut self) {
        let mut random = Random::new(self.seed, self.pass);
        self.pass += 1;
        let mut all: Vec<usize> = (0..self.lengths.len()).collect();
        random.shuffle(&mut all);
        for window in all.chunks_mut(self.batch * WINDOW) {
            window.sort_by_key(|index| self.lengths.get(*index));
        }
        self.waiting = all.chunks(self.batch).map(<[usize]>::to_vec).collect();
        random.shuffle(&mut self.waiting);
    }
}
