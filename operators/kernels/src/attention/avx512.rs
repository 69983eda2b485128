//! The inner loops of attention in AVX-512: left to itself the compiler vectorises them across the wrong dimension.

use std::arch::x86_64::{
    __m256i, __m512, _CMP_GT_OQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm256_loadu_si256,
    _mm512_add_ps, _mm512_castsi512_ps, _mm512_cmp_ps_mask, _mm512_cvtepu16_epi32, _mm512_fmadd_ps,
    _mm512_fnmadd_ps, _mm512_loadu_ps, _mm512_maskz_scalef_ps, _mm512_max_ps, _mm512_mul_ps,
    _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_roundscale_ps, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_slli_epi32, _mm512_storeu_ps, _mm512_sub_ps,
};

use super::{HEADS, Scores};
use crate::{
    math::LANES,
    pages::{Cell, PAGE},
};

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load<C: Cell>(from: *const C) -> __m512 {
    // SAFETY: the caller has sixteen numbers there; a cell is fp32 or the bits of bf16.
    unsafe {
        if size_of::<C>() == 4 {
            _mm512_loadu_ps(from.cast())
        } else {
            let bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast::<__m256i>()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub fn score<C: Cell>(queries: &[[f32; HEADS]], keys: &[[C; PAGE]]) -> Scores {
    // Two sums each, so that one need not wait for the other.
    let mut sums = [[_mm512_setzero_ps(); HEADS]; 2];
    for (at, (queries, keys)) in queries.iter().zip(keys).enumerate() {
        // SAFETY: sixteen cells.
        let keys = unsafe { load(keys.as_ptr()) };
        for (sum, q) in sums[at % 2].iter_mut().zip(queries) {
            *sum = _mm512_fmadd_ps(_mm512_set1_ps(*q), keys, *sum);
        }
    }
    let mut out = [[0.0; PAGE]; HEADS];
    for ((out, a), b) in out.iter_mut().zip(sums[0]).zip(sums[1]) {
        // SAFETY: sixteen places.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), _mm512_add_ps(a, b)) };
    }
    out
}

#[inline]
#[target_feature(enable = "avx512f")]
pub fn weigh<C: Cell>(
    weights: &Scores,
    rows: &[C],
    (wide, from): (usize, usize),
    sums: &mut [[f32; LANES]; HEADS],
) {
    if rows.len() < PAGE * wide || from + LANES > wide {
        return;
    }
    // SAFETY: sixteen rows of `wide` cells, of which sixteen from `from` on; sums of sixteen.
    unsafe {
        let mut held = [_mm512_setzero_ps(); HEADS];
        for (held, sums) in held.iter_mut().zip(&*sums) {
            *held = _mm512_loadu_ps(sums.as_ptr());
        }
        for at in 0..PAGE {
            let values = load(rows.as_ptr().add(at * wide + from));
            for (held, weights) in held.iter_mut().zip(weights) {
                *held = _mm512_fmadd_ps(_mm512_set1_ps(weights[at]), values, *held);
            }
        }
        for (held, sums) in held.iter().zip(sums) {
            _mm512_storeu_ps(sums.as_mut_ptr(), *held);
        }
    }
}

/// Scores to weights; scores that do not count are minus infinity.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn weights(head: usize, scores: &mut [Scores]) {
    let head = head % HEADS;
    // SAFETY: vectors of sixteen.
    unsafe {
        let mut highest = _mm512_set1_ps(f32::NEG_INFINITY);
        for scores in scores.iter() {
            highest = _mm512_max_ps(highest, _mm512_loadu_ps(scores[head].as_ptr()));
        }
        let highest = _mm512_set1_ps(_mm512_reduce_max_ps(highest));
        let mut total = _mm512_setzero_ps();
        for scores in scores.iter_mut() {
            let place = scores[head].as_mut_ptr();
            let weight = exp(_mm512_sub_ps(_mm512_loadu_ps(place), highest));
            total = _mm512_add_ps(total, weight);
            _mm512_storeu_ps(place, weight);
        }
        let scale = _mm512_set1_ps(_mm512_reduce_add_ps(total).recip());
        for scores in scores {
            let place = scores[head].as_mut_ptr();
            _mm512_storeu_ps(place, _mm512_mul_ps(_mm512_loadu_ps(place), scale));
        }
    }
}

/// As [`crate::math::exp`], for values up to 0.
#[inline]
#[target_feature(enable = "avx512f")]
fn exp(x: __m512) -> __m512 {
    const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    let counts = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_set1_ps(-87.3));
    let x = _mm512_max_ps(x, _mm512_set1_ps(-87.3));
    let whole = _mm512_roundscale_ps::<NEAREST>(_mm512_mul_ps(x, _mm512_set1_ps(std::f32::consts::LOG2_E)));
    let rest = _mm512_fnmadd_ps(whole, _mm512_set1_ps(0.693_359_4), x);
    let rest = _mm512_fnmadd_ps(whole, _mm512_set1_ps(-2.121_944_4e-4), rest);
    let mut p = _mm512_set1_ps(1.987_569_1e-4);
    for next in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = _mm512_fmadd_ps(p, rest, _mm512_set1_ps(next));
    }
    let p = _mm512_fmadd_ps(
        _mm512_mul_ps(p, rest),
        rest,
        _mm512_add_ps(rest, _mm512_set1_ps(1.0)),
    );
    _mm512_maskz_scalef_ps(counts, p, whole)
}
