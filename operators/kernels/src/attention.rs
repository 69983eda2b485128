//! Attention of rows over their sequences' pages.

#[cfg(target_arch = "x86_64")]
mod avx512;

use crate::{
    Cores, Kept, Level, Pages, Table,
    level::in_loops,
    math::{LANES, exp, tanh},
    memory::ask,
    pages::{Cell, PAGE},
};

/// Query heads, or queries of a head, that are worked on side by side.
pub const HEADS: usize = 4;

/// Scores of [`PAGE`] keys for each of the queries side by side.
pub type Scores = [[f32; PAGE]; HEADS];

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

/// One row's query heads of one key and value head.
fn one<C: Cell>(level: Level, look: Look<'_>, place: Place<'_>, head: usize, q: &[f32], out: &mut [f32]) {
    in_loops!(level, one_loop::<C>(look, place, head, q, out));
}

#[inline(always)]
fn one_loop<C: Cell, const WIDE: bool>(
    look: Look<'_>,
    (table, position): Place<'_>,
    head: usize,
    q: &[f32],
    out: &mut [f32],
) {
    let first = look
        .window
        .map_or(0, |window| (position + 1).saturating_sub(window));
    let Some(pages) = table.pages.get(first / PAGE..=position / PAGE) else {
        return;
    };
    // The first page's start may lie before the window.
    let (skipped, seen) = (first % PAGE, position + 1 - first / PAGE * PAGE);
    // `[page][query head][position]`: what a page gives lies together.
    let mut scores = vec![[[0.0_f32; PAGE]; HEADS]; pages.len()];
    let mut queries = vec![[0.0_f32; HEADS]; look.dim];
    let mut sums = vec![[[0.0_f32; LANES]; HEADS]; look.dim.div_ceil(LANES)];
    for (q, out) in q.chunks(HEADS * look.dim).zip(out.chunks_mut(HEADS * look.dim)) {
        let heads = q.len() / look.dim;
        queries.fill([0.0; HEADS]);
        for (head, q) in q.chunks_exact(look.dim).enumerate() {
            for (queries, q) in queries.iter_mut().zip(q) {
                queries[head % HEADS] = *q;
            }
        }
        keys::<C, WIDE>(look, pages, head, &queries, &mut scores);
        for head in 0..heads {
            softmax::<WIDE>(look.cap, head % HEADS, (skipped, seen), &mut scores);
        }
        values::<C, WIDE>(look, pages, head, &scores, &mut sums, out);
    }
}

/// Scores of some query heads; `queries` is `[dim][HEADS]`.
#[inline(always)]
fn keys<C: Cell, const WIDE: bool>(
    look: Look<'_>,
    pages: &[u32],
    head: usize,
    queries: &[[f32; HEADS]],
    scores: &mut [Scores],
) {
    let (start, behind) = (
        look.pages.part(look.layer, false, head),
        look.pages.part(look.layer, true, head),
    );
    let part = |page: u32, start: usize| {
        let data = look.pages.page::<C>(page);
        data.get(start..start + look.pages.dim() * PAGE)
            .unwrap_or_default()
    };
    // A page is somewhere in memory, and what is read of it too short for the hardware to see where it goes: asked for
    // a page ahead, the values along with the keys.
    for page in pages.iter().take(1) {
        ask(part(*page, start));
    }
    for (index, (page, scores)) in pages.iter().zip(scores).enumerate() {
        if let Some(next) = pages.get(index + 1) {
            ask(part(*next, start));
        }
        ask(part(*page, behind));
        *scores = score::<C, WIDE>(queries, part(*page, start).as_chunks::<PAGE>().0);
    }
}

/// Scores of the keys of one page, `[dim][PAGE]`.
#[inline(always)]
pub fn score<C: Cell, const WIDE: bool>(queries: &[[f32; HEADS]], keys: &[[C; PAGE]]) -> Scores {
    #[cfg(target_arch = "x86_64")]
    if WIDE {
        // SAFETY: only `in_loops` asks for this, where the processor has it.
        return unsafe { avx512::score(queries, keys) };
    }
    let mut sums = [[0.0_f32; PAGE]; HEADS];
    for (queries, keys) in queries.iter().zip(keys) {
        let keys = keys.map(C::get);
        for (sums, q) in sums.iter_mut().zip(queries) {
            for (sum, key) in sums.iter_mut().zip(&keys) {
                *sum += q * key;
            }
        }
    }
    sums
}

/// A head's weights of the positions from `skipped` to before `seen`; the others get none.
#[inline(always)]
pub fn softmax<const WIDE: bool>(
    cap: Option<f32>,
    head: usize,
    (skipped, seen): (usize, usize),
    scores: &mut [Scores],
) {
    let head = head % HEADS;
    for (page, scores) in scores.iter_mut().enumerate() {
        let scores = &mut scores[head];
        if let Some(cap) = cap {
            scores
                .iter_mut()
                .for_each(|score| *score = cap * tanh(*score / cap));
        }
        if page * PAGE < skipped || (page + 1) * PAGE > seen {
            for (at, score) in scores.iter_mut().enumerate() {
                let at = page * PAGE + at;
                if at < skipped || at >= seen {
                    *score = f32::NEG_INFINITY;
                }
            }
        }
    }
    #[cfg(target_arch = "x86_64")]
    if WIDE {
        // SAFETY: as above.
        return unsafe { avx512::weights(head, scores) };
    }
    let mut highest = f32::NEG_INFINITY;
    for score in scores.iter().flat_map(|scores| &scores[head]) {
        highest = if *score > highest { *score } else { highest };
    }
    let mut totals = [0.0_f32; LANES];
    for scores in scores.iter_mut() {
        for (total, score) in totals.iter_mut().zip(&mut scores[head]) {
            *score = exp(*score - highest);
            *total += *score;
        }
    }
    let scale = totals.iter().sum::<f32>().recip();
    for scores in scores {
        scores[head].iter_mut().for_each(|score| *score *= scale);
    }
}

/// Sums of values by the weights; `out` is `[heads][dim]`, `sums` is room for it in vectors.
#[inline(always)]
fn values<C: Cell, const WIDE: bool>(
    look: Look<'_>,
    pages: &[u32],
    head: usize,
    scores: &[Scores],
    sums: &mut [[[f32; LANES]; HEADS]],
    out: &mut [f32],
) {
    let start = look.pages.part(look.layer, true, head);
    let (dim, wide) = (look.dim, look.pages.dim());
    sums.fill([[0.0; LANES]; HEADS]);
    for (page, scores) in pages.iter().zip(scores) {
        let data = look.pages.page::<C>(*page);
        let rows = data.get(start..start + PAGE * wide).unwrap_or_default();
        for (index, sums) in sums.iter_mut().enumerate() {
            weigh::<C, WIDE>(scores, rows, (wide, index * LANES), sums);
        }
    }
    for (index, sums) in sums.iter().enumerate() {
        let columns = index * LANES..((index + 1) * LANES).min(dim);
        for (out, sums) in out.chunks_exact_mut(dim).zip(sums) {
            if let Some(out) = out.get_mut(columns.clone()) {
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out = *sum);
            }
        }
    }
}

/// Adds the values of one page (`[PAGE][wide]`, from a column on) by their weights.
#[inline(always)]
pub fn weigh<C: Cell, const WIDE: bool>(
    weights: &Scores,
    rows: &[C],
    (wide, from): (usize, usize),
    sums: &mut [[f32; LANES]; HEADS],
) {
    #[cfg(target_arch = "x86_64")]
    if WIDE {
        // SAFETY: as above.
        return unsafe { avx512::weigh(weights, rows, (wide, from), sums) };
    }
    for (at, row) in rows.chunks_exact(wide).enumerate().take(PAGE) {
        let Some(values) = row.get(from..).and_then(|row| row.first_chunk::<LANES>()) else {
            continue;
        };
        let values = values.map(C::get);
        for (sums, weights) in sums.iter_mut().zip(weights) {
            let weight = weights[at % PAGE];
            for (sum, value) in sums.iter_mut().zip(&values) {
                *sum += weight * value;
            }
        }
    }
}
