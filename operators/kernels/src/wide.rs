//! Functions over vectors of AVX-512, sixteen numbers at a time.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm512_abs_ps, _mm512_add_ps,
    _mm512_cvtne2ps_pbh, _mm512_div_ps, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_loadu_ps, _mm512_mul_ps,
    _mm512_roundscale_ps, _mm512_scalef_ps, _mm512_set1_ps, _mm512_storeu_ps, _mm512_storeu_si512,
    _mm512_sub_ps,
};
use std::f32::consts::{FRAC_1_SQRT_2, LN_2, LOG2_E};

/// 2^x within 2e-7; 0 far below, infinite far above.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn exp2(x: __m512) -> __m512 {
    const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    let whole = _mm512_roundscale_ps::<NEAREST>(x);
    let rest = _mm512_sub_ps(x, whole);
    // Through the nodes of Chebyshev between -1/2 and 1/2.
    let p = horner(
        rest,
        [
            1.339_086_3e-3,
            9.676_032e-3,
            5.550_357e-2,
            0.240_221_07,
            LN_2,
            1.0,
        ],
    );
    _mm512_scalef_ps(p, whole)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn horner<const N: usize>(x: __m512, factors: [f32; N]) -> __m512 {
    let mut p = _mm512_set1_ps(factors[0]);
    for factor in factors.into_iter().skip(1) {
        p = _mm512_fmadd_ps(p, x, _mm512_set1_ps(factor));
    }
    p
}

/// x / (1 + 2^y).
#[inline]
#[target_feature(enable = "avx512f")]
fn gate(x: __m512, y: __m512) -> __m512 {
    _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0), exp2(y)))
}

/// x times its sigmoid.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn silu(x: __m512) -> __m512 {
    gate(x, _mm512_mul_ps(x, _mm512_set1_ps(-LOG2_E)))
}

/// GELU by tanh, which is x times the sigmoid of twice what tanh is taken of.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn gelu_tanh(x: __m512) -> __m512 {
    let scale = -2.0 * 0.797_884_6 * LOG2_E;
    let inner = horner(_mm512_mul_ps(x, x), [0.044_715 * scale, scale]);
    gate(x, _mm512_mul_ps(x, inner))
}

/// GELU by the error function, which is found as [`crate::math`] does.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn gelu(x: __m512) -> __m512 {
    let one = _mm512_set1_ps(1.0);
    let size = _mm512_abs_ps(x);
    let t = _mm512_div_ps(
        one,
        _mm512_fmadd_ps(size, _mm512_set1_ps(0.327_591_1 * FRAC_1_SQRT_2), one),
    );
    let p = horner(
        t,
        [1.061_405_4, -1.453_152, 1.421_413_8, -0.284_496_72, 0.254_829_6],
    );
    let e = exp2(_mm512_mul_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(-0.5 * LOG2_E)));
    let erf = _mm512_fnmadd_ps(_mm512_mul_ps(p, t), e, one);
    _mm512_mul_ps(_mm512_set1_ps(0.5), _mm512_fmadd_ps(size, erf, x))
}

/// Two vectors as pairs of bf16, in order.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub fn pairs(low: __m512, high: __m512) -> __m512i {
    // SAFETY: the same bits.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)) }
}

/// Numbers as pairs of bf16, as far as there are 32 of them.
#[target_feature(enable = "avx512f,avx512bf16")]
pub fn all_pairs(values: &[f32], out: &mut [u32]) {
    for (values, out) in values.as_chunks::<32>().0.iter().zip(out.as_chunks_mut::<16>().0) {
        // SAFETY: two vectors of numbers, one of pairs.
        unsafe {
            let (low, high) = (
                _mm512_loadu_ps(values.as_ptr()),
                _mm512_loadu_ps(values.as_ptr().add(16)),
            );
            _mm512_storeu_si512(out.as_mut_ptr().cast(), pairs(low, high));
        }
    }
}

/// `silu(gate) * up`, as far as there are whole vectors.
#[target_feature(enable = "avx512f")]
pub fn gated_silu(gate: &mut [f32], up: &[f32]) {
    for (gate, up) in gate
        .as_chunks_mut::<16>()
        .0
        .iter_mut()
        .zip(up.as_chunks::<16>().0)
    {
        // SAFETY: sixteen numbers each.
        unsafe {
            let value = silu(_mm512_loadu_ps(gate.as_ptr()));
            _mm512_storeu_ps(
                gate.as_mut_ptr(),
                _mm512_mul_ps(value, _mm512_loadu_ps(up.as_ptr())),
            );
        }
    }
}
