//! Which sequences make which batch.

use super::{random::Random, tokens::Sequence};

/// Batches whose sequences are sorted by length among each other.
const WINDOW: usize = 16;

/// Batches of units' numbers, pass after pass without end, decided by the seed alone: units of sequences that stay together.
/// Those of like length share a batch, so that little is padded; chance decides which, and in which order batches come.
pub struct Order {
    lengths: Vec<u32>,
    batch: usize,
    /// Tokens of a batch that is filled by tokens, not by sequences.
    room: Option<u64>,
    seed: u64,
    pass: u64,
    waiting: Vec<Vec<usize>>,
}

impl Order {
    /// An order over units of `each` of these sequences, which follow each other; `batch` of them make a batch.
    #[must_use]
    pub fn new(sequences: &[Sequence], each: usize, batch: usize, seed: u64) -> Self {
        let length = |unit: &[Sequence]| unit.iter().map(|sequence| sequence.length).sum::<u32>();
        Self {
            lengths: sequences.chunks_exact(each.max(1)).map(length).collect(),
            batch: batch.max(1),
            room: None,
            seed,
            pass: 0,
            waiting: Vec::new(),
        }
    }

    /// Batches are filled up to so many tokens, with as many sequences as go in.
    #[must_use]
    pub fn packed(mut self, tokens: usize) -> Self {
        self.room = Some(tokens as u64);
        self
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
        if let Some(room) = self.room {
            self.waiting = self.fill(&all, room);
            self.waiting.reverse();
            return;
        }
        for window in all.chunks_mut(self.batch * WINDOW) {
            window.sort_by_key(|index| self.lengths.get(*index));
        }
        self.waiting = all.chunks(self.batch).map(<[usize]>::to_vec).collect();
        random.shuffle(&mut self.waiting);
    }

    /// First fit, over few open batches at a time, so that it takes linear time and keeps the order of chance.
    fn fill(&self, all: &[usize], room: u64) -> Vec<Vec<usize>> {
        let mut done = Vec::new();
        let mut open: Vec<(u64, Vec<usize>)> = Vec::new();
        for &index in all {
            let length = self.lengths.get(index).map_or(0, |length| u64::from(*length));
            match open.iter_mut().find(|(used, _)| used + length <= room) {
                Some((used, batch)) => {
                    *used += length;
                    batch.push(index);
                }
                None => open.push((length, vec![index])),
            }
            if open.len() > WINDOW {
                done.push(open.remove(0).1);
            }
        }
        done.extend(open.into_iter().map(|(_, batch)| batch));
        done
    }
}
