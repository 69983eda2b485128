//! Tiles in AVX-512: two vectors of outputs for up to twelve rows stay in registers over all inputs.

use std::arch::x86_64::{
    __m128i, __m512, __m512bh, __m512i, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm512_and_si512,
    _mm512_castsi512_ps, _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps, _mm512_cvtepu8_epi32, _mm512_dpbf16_ps,
    _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_permutexvar_ps, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_slli_epi32, _mm512_srli_epi32, _mm512_storeu_ps,
};

use super::{AHEAD, Tile};
use crate::{
    Level,
    packed::{Format, INT4},
};

/// Runs the largest tile that fits the rows left.
pub unsafe fn run(level: Level, format: Format, tile: Tile, rows: usize) -> usize {
    macro_rules! tiles {
        ($kernel:ident: $($m:literal),*) => {
            match rows {
                // SAFETY: the caller's promise; a level is what the machine has.
                $(n if n >= $m => { unsafe { $kernel::<$m>(tile) }; $m })*
                _ => 0,
            }
        };
    }
    match format {
        Format::F32 => tiles!(f32: 12, 8, 6, 4, 3, 2, 1),
        Format::Bf16 if level >= Level::Avx512Bf16 => tiles!(bf16: 12, 8, 6, 4, 3, 2, 1),
        Format::Bf16 => tiles!(bf16_as_f32: 6, 4, 3, 2, 1),
        // A group's sums stand beside the sums: half as many rows fit the registers.
        Format::Int8 { .. } => tiles!(int8: 6, 4, 3, 2, 1),
        Format::Int4 { .. } => tiles!(int4: 6, 4, 3, 2, 1),
    }
}

type Sums<const M: usize> = [[__m512; 2]; M];

#[target_feature(enable = "avx512f")]
fn zeros<const M: usize>() -> Sums<M> {
    [[_mm512_setzero_ps(); 2]; M]
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store<const M: usize>(tile: &Tile, sums: &Sums<M>) {
    for (row, [low, high]) in sums.iter().enumerate() {
        // SAFETY: the tile has room for its rows.
        unsafe {
            let out = tile.out.add(row * tile.out_stride);
            _mm512_storeu_ps(out, *low);
            _mm512_storeu_ps(out.add(16), *high);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn ahead(weights: *const u8) {
    // Prefetching never faults, even beyond the end.
    _mm_prefetch::<_MM_HINT_T0>(weights.wrapping_add(AHEAD).cast());
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn multiply<const M: usize>(tile: &Tile, sums: &mut Sums<M>, k: usize, [low, high]: [__m512; 2]) {
    for (row, sums) in sums.iter_mut().enumerate() {
        // SAFETY: the tile's rows have this input.
        let x = _mm512_set1_ps(unsafe { f32::from_bits(*tile.x.add(row * tile.stride + k)) });
        sums[0] = _mm512_fmadd_ps(low, x, sums[0]);
        sums[1] = _mm512_fmadd_ps(high, x, sums[1]);
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn f32<const M: usize>(tile: Tile) {
    let mut sums = zeros::<M>();
    // SAFETY: the panel holds all inputs.
    unsafe {
        let mut weights = tile.weights;
        for k in 0..tile.inputs {
            ahead(weights);
            ahead(weights.wrapping_add(64));
            let w = [
                _mm512_loadu_ps(weights.cast()),
                _mm512_loadu_ps(weights.add(64).cast()),
            ];
            multiply(&tile, &mut sums, k, w);
            weights = weights.add(128);
        }
        store(&tile, &sums);
    }
}

#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn bf16<const M: usize>(tile: Tile) {
    let mut sums = zeros::<M>();
    // SAFETY: the panel holds all inputs; vectors of integers and of bf16 have the same bits.
    unsafe {
        let of = |v: __m512i| std::mem::transmute::<__m512i, __m512bh>(v);
        let mut weights = tile.weights;
        for pair in 0..tile.inputs.div_ceil(2) {
            ahead(weights);
            ahead(weights.wrapping_add(64));
            let low = of(_mm512_loadu_si512(weights.cast()));
            let high = of(_mm512_loadu_si512(weights.add(64).cast()));
            for (row, sums) in sums.iter_mut().enumerate() {
                let x = of(_mm512_set1_epi32(
                    (*tile.x.add(row * tile.stride + pair)).cast_signed(),
                ));
                sums[0] = _mm512_dpbf16_ps(sums[0], low, x);
                sums[1] = _mm512_dpbf16_ps(sums[1], high, x);
            }
            weights = weights.add(128);
        }
        store(&tile, &sums);
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn bf16_as_f32<const M: usize>(tile: Tile) {
    let mut sums = zeros::<M>();
    // SAFETY: the panel holds all inputs.
    unsafe {
        let upper = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
        let odd = |v: __m512i| _mm512_castsi512_ps(_mm512_and_si512(v, upper));
        let even = |v: __m512i| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(v));
        let mut weights = tile.weights;
        for pair in 0..tile.inputs.div_ceil(2) {
            let (low, high) = (
                _mm512_loadu_si512(weights.cast()),
                _mm512_loadu_si512(weights.add(64).cast()),
            );
            for (row, sums) in sums.iter_mut().enumerate() {
                let x = _mm512_set1_epi32((*tile.x.add(row * tile.stride + pair)).cast_signed());
                sums[0] = _mm512_fmadd_ps(even(low), even(x), _mm512_fmadd_ps(odd(low), odd(x), sums[0]));
                sums[1] = _mm512_fmadd_ps(even(high), even(x), _mm512_fmadd_ps(odd(high), odd(x), sums[1]));
            }
            weights = weights.add(128);
        }
        store(&tile, &sums);
    }
}

/// Sums a group's products, then adds them times the group's scales.
macro_rules! grouped {
    ($tile:ident, $m:ident, $bytes:literal, $decode:expr) => {{
        let mut sums = zeros::<$m>();
        // SAFETY: the panel holds all inputs, and a scale for each output and group.
        unsafe {
            let mut weights = $tile.weights;
            for (index, start) in (0..$tile.inputs).step_by($tile.group).enumerate() {
                let mut parts = zeros::<$m>();
                for k in start..(start + $tile.group).min($tile.inputs) {
                    ahead(weights);
                    let w = $decode(weights);
                    multiply(&$tile, &mut parts, k, w);
                    weights = weights.add($bytes);
                }
                let scales = $tile.scales.add(index * 32);
                let (low, high) = (_mm512_loadu_ps(scales), _mm512_loadu_ps(scales.add(16)));
                for (sums, parts) in sums.iter_mut().zip(&parts) {
                    sums[0] = _mm512_fmadd_ps(parts[0], low, sums[0]);
                    sums[1] = _mm512_fmadd_ps(parts[1], high, sums[1]);
                }
            }
            store(&$tile, &sums);
        }
    }};
}

#[target_feature(enable = "avx512f")]
unsafe fn int8<const M: usize>(tile: Tile) {
    let wide = |at: *const u8| {
        // SAFETY: 16 bytes of the panel.
        let bytes = unsafe { _mm_loadu_si128(at.cast::<__m128i>()) };
        _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))
    };
    grouped!(tile, M, 32, |at: *const u8| [wide(at), wide(at.add(16))]);
}

#[target_feature(enable = "avx512f")]
unsafe fn int4<const M: usize>(tile: Tile) {
    // SAFETY: sixteen values.
    let book = unsafe { _mm512_loadu_ps(INT4.as_ptr()) };
    // A lane's lowest four bits choose from the code book.
    grouped!(tile, M, 16, |at: *const u8| {
        let codes = _mm512_cvtepu8_epi32(_mm_loadu_si128(at.cast::<__m128i>()));
        [
            _mm512_permutexvar_ps(codes, book),
            _mm512_permutexvar_ps(_mm512_srli_epi32::<4>(codes), book),
        ]
    });
}
