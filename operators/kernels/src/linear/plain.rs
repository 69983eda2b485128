//! Tiles in plain loops, compiled for AVX2 too.

use super::Tile;
use crate::{
    Level,
    math::from_bf16,
    packed::{Format, INT4, PANEL},
};

/// Runs a tile of one or two rows.
pub unsafe fn run(level: Level, format: Format, tile: Tile, rows: usize) -> usize {
    let two = rows >= 2;
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if level >= Level::Avx2 {
            #[target_feature(enable = "avx2,fma")]
            unsafe fn middle(format: Format, tile: Tile, two: bool) {
                // SAFETY: the caller's promise.
                unsafe { formats::<true>(format, tile, two) }
            }
            middle(format, tile, two);
            return if two { 2 } else { 1 };
        }
        let _ = level;
        formats::<false>(format, tile, two);
    }
    if two { 2 } else { 1 }
}

#[inline(always)]
unsafe fn formats<const FMA: bool>(format: Format, tile: Tile, two: bool) {
    // SAFETY: the caller's promise.
    unsafe {
        if two {
            rows::<FMA, 2>(format, tile);
        } else {
            rows::<FMA, 1>(format, tile);
        }
    }
}

#[inline(always)]
fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

#[inline(always)]
unsafe fn rows<const FMA: bool, const M: usize>(format: Format, tile: Tile) {
    let mut sums = [[0.0_f32; PANEL]; M];
    // SAFETY: reads the tile's inputs and panel, writes its rows.
    unsafe {
        let x = |row: usize, at: usize| *tile.x.add(row * tile.stride + at);
        match format {
            Format::F32 => {
                for k in 0..tile.inputs {
                    let w = &*tile.weights.cast::<[f32; PANEL]>().add(k);
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let x = f32::from_bits(x(row, k));
                        sums.iter_mut()
                            .zip(w)
                            .for_each(|(sum, w)| *sum = fma::<FMA>(x, *w, *sum));
                    }
                }
            }
            Format::Bf16 => {
                for pair in 0..tile.inputs.div_ceil(2) {
                    let w = &*tile.weights.cast::<[u32; PANEL]>().add(pair);
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let both = x(row, pair);
                        let (even, odd) = (f32::from_bits(both << 16), f32::from_bits(both & 0xffff_0000));
                        for (sum, w) in sums.iter_mut().zip(w) {
                            *sum = fma::<FMA>(odd, f32::from_bits(w & 0xffff_0000), *sum);
                            *sum = fma::<FMA>(even, from_bf16(*w as u16), *sum);
                        }
                    }
                }
            }
            Format::Int8 { .. } | Format::Int4 { .. } => {
                for (index, start) in (0..tile.inputs).step_by(tile.group).enumerate() {
                    let mut parts = [[0.0_f32; PANEL]; M];
                    for k in start..(start + tile.group).min(tile.inputs) {
                        let w = weights(format, tile.weights, k);
                        for (row, parts) in parts.iter_mut().enumerate() {
                            let x = f32::from_bits(x(row, k));
                            parts
                                .iter_mut()
                                .zip(&w)
                                .for_each(|(part, w)| *part = fma::<FMA>(x, *w, *part));
                        }
                    }
                    let scales = &*tile.scales.cast::<[f32; PANEL]>().add(index);
                    for (sums, parts) in sums.iter_mut().zip(&parts) {
                        for ((sum, part), scale) in sums.iter_mut().zip(parts).zip(scales) {
                            *sum = fma::<FMA>(*part, *scale, *sum);
                        }
                    }
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            tile.out
                .add(row * tile.out_stride)
                .cast::<[f32; PANEL]>()
                .write(*sums);
        }
    }
}

/// An input's reduced weights, without their scales.
#[inline(always)]
unsafe fn weights(format: Format, data: *const u8, input: usize) -> [f32; PANEL] {
    let mut out = [0.0_f32; PANEL];
    // SAFETY: the panel holds this input.
    unsafe {
        if let Format::Int4 { .. } = format {
            let bytes = &*data.cast::<[u8; PANEL / 2]>().add(input);
            for (index, byte) in bytes.iter().enumerate() {
                out[index] = INT4[usize::from(byte & 15)];
                out[index + PANEL / 2] = INT4[usize::from(byte >> 4)];
            }
        } else {
            let bytes = &*data.cast::<[i8; PANEL]>().add(input);
            out.iter_mut()
                .zip(bytes)
                .for_each(|(out, byte)| *out = f32::from(*byte));
        }
    }
    out
}
