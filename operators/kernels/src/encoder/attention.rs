//! Attention within a text: two products for each head, whose weights are the text's own keys and values.

use crate::{
    Format, Level,
    level::leveled,
    linear::{TILE, Tile, run},
    math::{LANES, exp},
    packed::PANEL,
};

/// How queries, keys and values lie in rows.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub heads: usize,
    /// Values of a head.
    pub dim: usize,
    /// Whether they are pairs of bf16, and products are of such.
    pub half: bool,
}

impl Shape {
    /// Words of a head's query.
    fn words(self) -> usize {
        if self.half { self.dim / 2 } else { self.dim }
    }

    /// Words of a row: all queries, then all keys, then all values.
    pub fn width(self) -> usize {
        3 * self.heads * self.words()
    }
}

/// Room for a head.
#[derive(Default)]
pub struct Scratch {
    keys: Vec<u32>,
    values: Vec<u32>,
    scores: Vec<f32>,
}

/// One head of a text, whose rows these are; `out` is the head's column of the first row, of rows of all heads.
///
/// # Safety
/// `out` has to have as many rows, and nobody else may use the head's columns.
pub unsafe fn attend(
    level: Level,
    shape: Shape,
    rows: &[u32],
    head: usize,
    scratch: &mut Scratch,
    out: *mut f32,
) {
    let (width, words, dim) = (shape.width(), shape.words(), shape.dim);
    let length = rows.len() / width;
    let panels = length.div_ceil(PANEL);
    let padded = panels * PANEL;
    let steps = if shape.half { length.div_ceil(2) } else { length };
    pack_keys(shape, rows, head, &mut scratch.keys);
    pack_values(shape, rows, head, steps, &mut scratch.values);
    scratch.scores.resize(TILE * padded, 0.0);
    let format = if shape.half { Format::Bf16 } else { Format::F32 };
    let mut sums = [[0.0_f32; PANEL]; TILE];
    let mut row = 0;
    while row < length {
        let mut done = (length - row).min(TILE);
        let queries = rows.get(row * width + head * words..).unwrap_or_default();
        for panel in 0..panels {
            let keys = scratch.keys.get(panel * words * PANEL..).unwrap_or_default();
            let scores = scratch.scores.get_mut(panel * PANEL..).unwrap_or_default();
            let tile = tile(
                dim,
                keys,
                (queries.as_ptr(), width),
                (scores.as_mut_ptr(), padded),
            );
            // SAFETY: so many rows of queries are left, keys were packed in panels, scores have room for a tile.
            done = unsafe { run(level, format, tile, done) };
        }
        let mut totals = [0.0_f32; TILE];
        let scale = (dim as f32).sqrt().recip();
        let scores = scratch.scores.chunks_exact_mut(padded).take(done);
        for (scores, total) in scores.zip(&mut totals) {
            weights(level, shape.half, scores, length, scale, total);
        }
        for (panel, values) in scratch.values.chunks_exact(steps * PANEL).enumerate() {
            let own = panel * PANEL..dim.min((panel + 1) * PANEL);
            let x = (scratch.scores.as_ptr().cast(), padded);
            let tile = tile(length, values, x, (sums.as_mut_ptr().cast(), PANEL));
            // SAFETY: the scores of so many rows were written, values were packed in panels, sums have room.
            unsafe { run(level, format, tile, done) };
            for (index, (sums, total)) in sums.iter().zip(&totals).enumerate().take(done) {
                // SAFETY: the caller's promise; these columns are inside the head's.
                let out = unsafe {
                    let at = out.add((row + index) * shape.heads * dim + own.start);
                    std::slice::from_raw_parts_mut(at, own.len())
                };
                let scale = total.recip();
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum * scale);
            }
        }
        row += done;
    }
}

fn tile(
    inputs: usize,
    weights: &[u32],
    (x, stride): (*const u32, usize),
    (out, out_stride): (*mut f32, usize),
) -> Tile {
    Tile {
        weights: weights.as_ptr().cast(),
        scales: std::ptr::null(),
        inputs,
        group: inputs,
        x,
        stride,
        out,
        out_stride,
    }
}

/// Keys as the outputs of a packed matrix.
fn pack_keys(shape: Shape, rows: &[u32], head: usize, keys: &mut Vec<u32>) {
    let (width, words) = (shape.width(), shape.words());
    let length = rows.len() / width;
    keys.clear();
    keys.resize(length.next_multiple_of(PANEL) * words, 0);
    let start = (shape.heads + head) * words;
    for (text, panel) in rows
        .chunks(PANEL * width)
        .zip(keys.chunks_exact_mut(PANEL * words))
    {
        for (token, row) in text.chunks_exact(width).enumerate() {
            let key = row.get(start..start + words).unwrap_or_default();
            for (lanes, word) in panel.as_chunks_mut::<PANEL>().0.iter_mut().zip(key) {
                lanes[token % PANEL] = *word;
            }
        }
    }
}

/// Values as the inputs of a packed matrix, by `steps` of one or two tokens.
fn pack_values(shape: Shape, rows: &[u32], head: usize, steps: usize, values: &mut Vec<u32>) {
    let (width, words) = (shape.width(), shape.words());
    values.clear();
    values.resize(shape.dim.div_ceil(PANEL) * steps * PANEL, 0);
    let start = (2 * shape.heads + head) * words;
    let (tokens, size) = if shape.half { (2, PANEL / 2) } else { (1, PANEL) };
    for (step, rows) in rows.chunks(tokens * width).enumerate() {
        let first = rows.get(start..start + words).unwrap_or_default();
        let second = rows.get(width + start..width + start + words).unwrap_or_default();
        for (index, (panel, first)) in values
            .chunks_exact_mut(steps * PANEL)
            .zip(first.chunks(size))
            .enumerate()
        {
            let Some(out) = panel.as_chunks_mut::<PANEL>().0.get_mut(step) else {
                continue;
            };
            if !shape.half {
                out.iter_mut().zip(first).for_each(|(out, word)| *out = *word);
                continue;
            }
            let second = second.iter().skip(index * size).chain(std::iter::repeat(&0));
            for ((out, first), second) in out.as_chunks_mut::<2>().0.iter_mut().zip(first).zip(second) {
                *out = [
                    (first & 0xffff) | (second << 16),
                    (first >> 16) | (second & 0xffff_0000),
                ];
            }
        }
    }
}

/// A row of scores to weights in its place, as `half` or fp32, 0 beyond `length`; and their sum.
fn weights(level: Level, half: bool, scores: &mut [f32], length: usize, scale: f32, total: &mut f32) {
    // So far below all others that it counts nothing, but still a number.
    scores.iter_mut().skip(length).for_each(|score| *score = -1e30);
    #[cfg(target_arch = "x86_64")]
    if level >= Level::Avx512Bf16 {
        // SAFETY: a level is what the machine has.
        *total = unsafe { wide::weights(half, scores, scale) };
        return;
    }
    let _ = half;
    plain(level, scores, scale, total);
}

#[inline(always)]
fn plain_loop(scores: &mut [f32], scale: f32, total: &mut f32) {
    let mut highest = [f32::NEG_INFINITY; LANES];
    for scores in scores.as_chunks::<LANES>().0 {
        for (highest, score) in highest.iter_mut().zip(scores) {
            *highest = if *score > *highest { *score } else { *highest };
        }
    }
    let highest = highest.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let mut totals = [0.0_f32; LANES];
    for scores in scores.as_chunks_mut::<LANES>().0 {
        for (total, score) in totals.iter_mut().zip(scores) {
            *score = exp((*score - highest) * scale);
            *total += *score;
        }
    }
    *total = totals.iter().sum();
}
leveled!(fn plain(scores: &mut [f32], scale: f32, total: &mut f32) = plain_loop);

#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::{
        _mm512_add_ps, _mm512_fmsub_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_reduce_add_ps,
        _mm512_reduce_max_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps, _mm512_storeu_si512,
    };

    use crate::{packed::PANEL, wide};

    /// Weights of a whole number of panels of scores, and their sum.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub fn weights(half: bool, scores: &mut [f32], scale: f32) -> f32 {
        let panels = scores.len() / PANEL;
        let start = scores.as_mut_ptr();
        let scale = _mm512_set1_ps(scale * std::f32::consts::LOG2_E);
        let mut highest = [_mm512_set1_ps(f32::NEG_INFINITY); 2];
        let mut totals = [_mm512_setzero_ps(); 2];
        // SAFETY: two vectors a panel; pairs take half the room, so they are written where all was read.
        unsafe {
            for panel in 0..panels {
                for (half, highest) in highest.iter_mut().enumerate() {
                    let scores = _mm512_loadu_ps(start.add(panel * PANEL + half * 16));
                    *highest = _mm512_max_ps(*highest, scores);
                }
            }
            let highest = _mm512_reduce_max_ps(_mm512_max_ps(highest[0], highest[1]));
            let highest = _mm512_mul_ps(_mm512_set1_ps(highest), scale);
            for panel in 0..panels {
                let at = start.add(panel * PANEL);
                let of = |at| wide::exp2(_mm512_fmsub_ps(_mm512_loadu_ps(at), scale, highest));
                let (low, high) = (of(at), of(at.add(16)));
                totals = [_mm512_add_ps(totals[0], low), _mm512_add_ps(totals[1], high)];
                if half {
                    let words = start.add(panel * PANEL / 2);
                    _mm512_storeu_si512(words.cast(), wide::pairs(low, high));
                } else {
                    _mm512_storeu_ps(at, low);
                    _mm512_storeu_ps(at.add(16), high);
                }
            }
        }
        _mm512_reduce_add_ps(_mm512_add_ps(totals[0], totals[1]))
    }
}
