//! The exact search: a dot product with every live vector, and the best `k` of them.

use std::thread;

use super::{keys::KeyFilter, segment::Segment};

/// Rows for which one more thread pays: less than a millisecond of work each.
const ROWS_A_THREAD: usize = 32_768;

/// More threads than this wait for memory, not for each other.
const MOST_THREADS: usize = 8;

/// A row that may be among the best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub score: f32,
    /// The id's hash: orders equal scores the same way whatever segment they are in.
    pub id: u128,
    pub segment: usize,
    pub row: usize,
}

impl Candidate {
    fn better_than(&self, other: &Self) -> bool {
        self.score
            .total_cmp(&other.score)
            .then(other.id.cmp(&self.id))
            .is_gt()
    }
}

/// The best `k` rows of all segments. `query` is of unit length and of the segments' dimension.
pub(super) fn best(
    segments: &[Segment],
    query: &[f32],
    k: usize,
    filter: Option<&KeyFilter>,
) -> Vec<Candidate> {
    let total: usize = segments.iter().map(Segment::rows).sum();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = (total / ROWS_A_THREAD).clamp(1, cores.min(MOST_THREADS));
    let ranges: Vec<Vec<Range>> = shares(segments, total.div_ceil(threads).max(1));
    let scan_share = |share: &[Range]| {
        let mut top = Top::new(k);
        share
            .iter()
            .for_each(|range| scan(segments, range, query, filter, &mut top));
        top.rows
    };
    let mut found = match ranges.as_slice() {
        [one] => scan_share(one),
        many => thread::scope(|scope| {
            let handles: Vec<_> = many
                .iter()
                .map(|share| scope.spawn(|| scan_share(share)))
                .collect();
            handles
                .into_iter()
                .flat_map(|handle| handle.join().unwrap_or_default())
                .collect()
        }),
    };
    found.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
    found.truncate(k);
    found
}

/// Rows of a segment.
struct Range {
    segment: usize,
    start: usize,
    end: usize,
}

/// Cuts all rows into shares of about `size`.
fn shares(segments: &[Segment], size: usize) -> Vec<Vec<Range>> {
    let (mut shares, mut share, mut room) = (Vec::new(), Vec::new(), size);
    for (segment, rows) in segments.iter().map(Segment::rows).enumerate() {
        let mut start = 0;
        while start < rows {
            let end = rows.min(start + room);
            share.push(Range { segment, start, end });
            room -= end - start;
            start = end;
            if room == 0 {
                shares.push(std::mem::take(&mut share));
                room = size;
            }
        }
    }
    if !share.is_empty() {
        shares.push(share);
    }
    shares
}

fn scan(segments: &[Segment], range: &Range, query: &[f32], filter: Option<&KeyFilter>, top: &mut Top) {
    let Some(segment) = segments.get(range.segment) else {
        return;
    };
    let width = query.len() * 4;
    let vectors = segment
        .vectors()
        .chunks_exact(width)
        .enumerate()
        .take(range.end)
        .skip(range.start);
    for (row, vector) in vectors {
        if segment.dead.get(row) {
            continue;
        }
        if let Some(filter) = filter
            && !segment.key(row).is_some_and(|key| filter.passes(&key))
        {
            continue;
        }
        let score = dot(query, vector);
        // A vector that is not one (a flipped bit) must not come first.
        if score.is_finite() && top.takes(score) {
            let id = segment.key(row).map_or(0, |key| key.id);
            top.add(Candidate {
                score,
                id,
                segment: range.segment,
                row,
            });
        }
    }
}

/// Sixteen sums side by side, so that the compiler can use the widest registers it has.
fn dot(query: &[f32], vector: &[u8]) -> f32 {
    let (rows, rest) = vector.as_chunks::<64>();
    let (queries, query_rest) = query.as_chunks::<16>();
    let mut sums = [0_f32; 16];
    for (row, query) in rows.iter().zip(queries) {
        let (values, _) = row.as_chunks::<4>();
        for ((sum, value), query) in sums.iter_mut().zip(values).zip(query) {
            *sum += query * f32::from_le_bytes(*value);
        }
    }
    let (values, _) = rest.as_chunks::<4>();
    let tail: f32 = values
        .iter()
        .zip(query_rest)
        .map(|(value, query)| query * f32::from_le_bytes(*value))
        .sum();
    sums.iter().sum::<f32>() + tail
}

/// The best so far, best first.
struct Top {
    rows: Vec<Candidate>,
    k: usize,
}

impl Top {
    fn new(k: usize) -> Self {
        Self { rows: Vec::new(), k }
    }

    fn takes(&self, score: f32) -> bool {
        self.rows.len() < self.k || self.rows.last().is_some_and(|worst| score >= worst.score)
    }

    fn add(&mut self, candidate: Candidate) {
        let place = self.rows.partition_point(|row| row.better_than(&candidate));
        self.rows.insert(place, candidate);
        self.rows.truncate(self.k);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dot_product_takes_every_value_of_any_length() {
        for length in [1, 3, 16, 17, 40, 384] {
            let query: Vec<f32> = (0..length).map(|n| n as f32 + 1.0).collect();
            let bytes: Vec<u8> = query
                .iter()
                .flat_map(|value| (value * 0.5).to_le_bytes())
                .collect();
            let want: f32 = query.iter().map(|value| value * value * 0.5).sum();
            assert!((dot(&query, &bytes) - want).abs() <= want * 1e-6, "{length}");
        }
    }

    #[test]
    fn equal_scores_come_in_the_order_of_ids() {
        let mut top = Top::new(2);
        for id in [9, 3, 7, 1] {
            if top.takes(0.5) {
                top.add(Candidate {
                    score: 0.5,
                    id,
                    segment: 0,
                    row: 0,
                });
            }
        }
        assert_eq!(top.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [1, 3]);
    }
}
