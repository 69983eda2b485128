//! Attention of rows over their sequences' pages.

use crate::{
    Cores, Kept, Pages, Table,
    level::leveled,
    math::{LANES, exp, tanh},
    pages::{Cell, PAGE},
};

/// Query heads that are worked on side by side.
const HEADS: usize = 4;

/// How attention is done in a layer.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    pub pages: &'a Pages,
    pub layer: usize,
    pub kv_heads: usize,
    /// Query heads of a key and value head.
    pub group: usize,
    pub dim: usize,
    /// Positions that are looked back at, itself included.
    pub window: Option<usize>,
    /// Scores are `cap * tanh(score / cap)`.
    pub cap: Option<f32>,
}

/// A row's place: its sequence and its position there.
pub type Place<'a> = (&'a Table, usize);

/// Attends for rows of queries, scaled; `q` gives a row's `[heads, dim]`, `out` is `[rows, heads, dim]`.
pub fn attend<'q>(
    cores: &Cores,
    look: Look<'_>,
    places: &[Place<'_>],
    q: &(dyn Fn(usize) -> &'q [f32] + Sync),
    out: &mut [f32],
) {
    let width = look.group * look.dim;
    let shared = Out(out.as_mut_ptr());
    assert!(
        out.len() >= places.len() * look.kv_heads * width,
        "rows of another size"
    );
    cores.run(places.len() * look.kv_heads, &|part| {
        let shared = &shared;
        let (row, head) = (part / look.kv_heads, part % look.kv_heads);
        let (Some(place), Some(q)) = (places.get(row), q(row).get(head * width..(head + 1) * width)) else {
            return;
        };
        // SAFETY: each part has its own piece of `out`, whose size was asserted.
        let out = unsafe { std::slice::from_raw_parts_mut(shared.0.add(part * width), width) };
        match look.pages.kept() {
            Kept::F32 => one::<f32>(cores.level(), look, *place, head, q, out),
            Kept::Bf16 => one::<u16>(cores.level(), look, *place, head, q, out),
        }
    });
}

struct Out(*mut f32);
// SAFETY: parts write to disjoint pieces.
unsafe impl Sync for Out {}

leveled!(
    /// One row's query heads of one key and value head.
    fn one<C: Cell>(look: Look<'_>, place: Place<'_>, head: usize, q: &[f32], out: &mut [f32]) = one_loop
);

#[inline(always)]
fn one_loop<C: Cell>(look: Look<'_>, (table, position): Place<'_>, head: usize, q: &[f32], out: &mut [f32]) {
    let first = look
        .window
        .map_or(0, |window| (position + 1).saturating_sub(window));
    let Some(pages) = table.pages.get(first / PAGE..=position / PAGE) else {
        return;
    };
    // The first page's start may lie before the window.
    let (skipped, seen) = (first % PAGE, position + 1 - first / PAGE * PAGE);
    let width = pages.len() * PAGE;
    let mut scores = vec![0.0_f32; HEADS * width];
    for (q, out) in q.chunks(HEADS * look.dim).zip(out.chunks_mut(HEADS * look.dim)) {
        let heads = q.len() / look.dim;
        keys::<C>(look, pages, head, q, &mut scores);
        for scores in scores.chunks_exact_mut(width).take(heads) {
            if let Some(cap) = look.cap {
                scores
                    .iter_mut()
                    .for_each(|score| *score = cap * tanh(*score / cap));
            }
            softmax(scores, skipped, seen);
        }
        values::<C>(look, pages, head, &scores, out);
    }
}

/// Scores `[HEADS][pages * PAGE]` of some query heads.
#[inline(always)]
fn keys<C: Cell>(look: Look<'_>, pages: &[u32], head: usize, q: &[f32], scores: &mut [f32]) {
    let start = look.pages.part(look.layer, false, head);
    let width = pages.len() * PAGE;
    let dim = look.dim;
    let query = |head: usize, d: usize| q.get(head * dim + d).copied().unwrap_or(0.0);
    let heads = q.len() / dim;
    for (index, page) in pages.iter().enumerate() {
        let data = look.pages.page::<C>(*page);
        let keys = data.get(start..).unwrap_or_default().as_chunks::<PAGE>().0;
        let mut sums = [[0.0_f32; PAGE]; HEADS];
        for (d, keys) in keys.iter().enumerate().take(dim) {
            let keys = keys.map(C::get);
            for (head, sums) in sums.iter_mut().enumerate() {
                let q = if head < heads { query(head, d) } else { 0.0 };
                for (sum, key) in sums.iter_mut().zip(&keys) {
                    *sum += q * key;
                }
            }
        }
        for (head, sums) in sums.iter().enumerate() {
            if let Some(scores) =
                scores.get_mut(head * width + index * PAGE..head * width + (index + 1) * PAGE)
            {
                scores.copy_from_slice(sums);
            }
        }
    }
}

/// Weights of the positions from `skipped` to before `seen`; the others get none.
#[inline(always)]
fn softmax(scores: &mut [f32], skipped: usize, seen: usize) {
    for (at, score) in scores.iter_mut().enumerate() {
        if at < skipped || at >= seen {
            *score = f32::NEG_INFINITY;
        }
    }
    let mut highest = [f32::NEG_INFINITY; LANES];
    for chunk in scores.as_chunks::<LANES>().0 {
        for (high, score) in highest.iter_mut().zip(chunk) {
            *high = if *score > *high { *score } else { *high };
        }
    }
    let highest = highest
        .iter()
        .fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a });
    let mut totals = [0.0_f32; LANES];
    for chunk in scores.as_chunks_mut::<LANES>().0 {
        for (total, score) in totals.iter_mut().zip(chunk) {
            *score = exp(*score - highest);
            *total += *score;
        }
    }
    let scale = totals.iter().sum::<f32>().recip();
    scores.iter_mut().for_each(|score| *score *= scale);
}

/// Sums of values by the weights; `out` is `[heads][dim]`.
#[inline(always)]
fn values<C: Cell>(look: Look<'_>, pages: &[u32], head: usize, scores: &[f32], out: &mut [f32]) {
    let start = look.pages.part(look.layer, true, head);
    let (width, dim, wide) = (pages.len() * PAGE, look.dim, look.pages.dim());
    for from in (0..dim).step_by(LANES) {
        let mut sums = [[0.0_f32; LANES]; HEADS];
        for (index, page) in pages.iter().enumerate() {
            let data = look.pages.page::<C>(*page);
            let values = data.get(start + from..).unwrap_or_default();
            for at in 0..PAGE {
                let Some(values) = values
                    .get(at * wide..)
                    .and_then(|values| values.first_chunk::<LANES>())
                else {
                    break;
                };
                let values = values.map(C::get);
                for (head, sums) in sums.iter_mut().enumerate() {
                    let weight = scores
                        .get(head * width + index * PAGE + at)
                        .copied()
                        .unwrap_or(0.0);
                    for (sum, value) in sums.iter_mut().zip(&values) {
                        *sum += weight * value;
                    }
                }
            }
        }
        for (out, sums) in out.chunks_exact_mut(dim).zip(&sums) {
            if let Some(out) = out.get_mut(from..(from + LANES).min(dim)) {
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out = *sum);
            }
        }
    }
}
