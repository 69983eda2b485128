//! Where a product's rows come from and go to.

use super::Level;
use crate::{Activation, math, packed::PANEL};

/// Rows as the tiles read them: fp32 bits, or pairs of bf16 for bf16 weights.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub words: &'a [u32],
    /// Words from one row to the next.
    pub stride: usize,
}

/// What is done with sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Written as fp32.
    Write,
    /// Added to the fp32 numbers there.
    Add,
    /// Written as pairs of bf16.
    Pairs,
}

/// Where the products go.
#[derive(Clone, Copy)]
pub struct Sink {
    /// The first row's start.
    pub at: *mut u32,
    /// Words from one row to the next.
    pub stride: usize,
    pub form: Form,
    /// What the sums go through before.
    pub activation: Option<Activation>,
}

// SAFETY: an address; who writes to it promises that nobody else uses the columns.
unsafe impl Send for Sink {}
// SAFETY: as above.
unsafe impl Sync for Sink {}

impl Sink {
    /// From a row and a panel on.
    ///
    /// # Safety
    /// They have to exist.
    pub unsafe fn from(self, row: usize, panel: usize) -> Self {
        let words = if self.form == Form::Pairs {
            PANEL / 2
        } else {
            PANEL
        };
        Self {
            // SAFETY: the caller's promise.
            at: unsafe { self.at.add(row * self.stride + panel * words) },
            ..self
        }
    }
}

/// Numbers as the bits that tiles read.
pub fn bits(values: &[f32]) -> &[u32] {
    // SAFETY: of the same size and alignment, and every pattern of bits is a number.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), values.len()) }
}

/// Brings the sums of a panel to their place.
///
/// # Safety
/// The sink has to have these rows and `width` columns, and nobody else may use them.
pub unsafe fn finish(level: Level, values: &[[f32; PANEL]], width: usize, bias: Option<&[f32]>, sink: Sink) {
    #[cfg(target_arch = "x86_64")]
    if width == PANEL && level >= Level::Avx512Bf16 {
        let bias = bias.and_then(|bias| bias.first_chunk());
        // SAFETY: the caller's promise, whole panels, and a level is what the machine has.
        return unsafe { wide::finish(values, bias.unwrap_or(&[0.0; PANEL]), sink) };
    }
    for (row, values) in values.iter().enumerate() {
        let mut values = *values;
        let values = &mut values[..width.min(PANEL)];
        for (value, bias) in values.iter_mut().zip(bias.unwrap_or_default()) {
            *value += bias;
        }
        match sink.activation {
            None => (),
            Some(Activation::Silu) => math::all_silu(level, values),
            Some(Activation::Gelu) => math::all_gelu(level, values),
            Some(Activation::GeluTanh) => math::all_gelu_tanh(level, values),
        }
        // SAFETY: the caller's promise.
        let at = unsafe { sink.at.add(row * sink.stride) };
        if sink.form == Form::Pairs {
            // SAFETY: as above.
            let out = unsafe { std::slice::from_raw_parts_mut(at, values.len().div_ceil(2)) };
            math::pairs(level, values, out);
        } else {
            // SAFETY: as above.
            let out = unsafe { std::slice::from_raw_parts_mut(at.cast::<f32>(), values.len()) };
            for (out, value) in out.iter_mut().zip(values) {
                *out = if sink.form == Form::Add {
                    *out + *value
                } else {
                    *value
                };
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::{__m512, _mm512_add_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_storeu_si512};

    use super::{Form, Sink};
    use crate::{Activation, packed::PANEL, wide};

    /// As [`super::finish`], for whole panels.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub unsafe fn finish(values: &[[f32; PANEL]], bias: &[f32; PANEL], sink: Sink) {
        // SAFETY: the caller's promise.
        unsafe {
            match sink.activation {
                None => rows(values, bias, sink, |x| x),
                Some(Activation::Silu) => rows(values, bias, sink, |x| wide::silu(x)),
                Some(Activation::Gelu) => rows(values, bias, sink, |x| wide::gelu(x)),
                Some(Activation::GeluTanh) => rows(values, bias, sink, |x| wide::gelu_tanh(x)),
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn rows(values: &[[f32; PANEL]], bias: &[f32; PANEL], sink: Sink, of: impl Fn(__m512) -> __m512) {
        // SAFETY: panels of two vectors; the sink's rows are the caller's promise.
        unsafe {
            let bias = [
                _mm512_loadu_ps(bias.as_ptr()),
                _mm512_loadu_ps(bias.as_ptr().add(16)),
            ];
            for (row, values) in values.iter().enumerate() {
                let low = of(_mm512_add_ps(_mm512_loadu_ps(values.as_ptr()), bias[0]));
                let high = of(_mm512_add_ps(_mm512_loadu_ps(values.as_ptr().add(16)), bias[1]));
                let words = sink.at.add(row * sink.stride);
                let at = words.cast::<f32>();
                match sink.form {
                    Form::Pairs => _mm512_storeu_si512(words.cast(), wide::pairs(low, high)),
                    Form::Write => {
                        _mm512_storeu_ps(at, low);
                        _mm512_storeu_ps(at.add(16), high);
                    }
                    Form::Add => {
                        _mm512_storeu_ps(at, _mm512_add_ps(_mm512_loadu_ps(at), low));
                        _mm512_storeu_ps(at.add(16), _mm512_add_ps(_mm512_loadu_ps(at.add(16)), high));
                    }
                }
            }
        }
    }
}
