//! Elementwise functions over rows, written as plain loops that the compiler vectorises.

#[cfg(target_arch = "x86_64")]
use crate::wide;
use crate::{Level, level::leveled};

/// Values that are worked on side by side in plain loops; a vector of AVX-512.
pub const LANES: usize = 16;

/// A bf16 number, as its bits, in fp32.
#[inline(always)]
pub fn from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// The nearest bf16 number's bits; ties to even, as the processor rounds.
#[inline(always)]
pub fn to_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() {
        return ((bits >> 16) | 0x40) as u16;
    }
    (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

/// Whether a value is what bf16 holds of it.
#[must_use]
pub fn normal_bf16(value: f32) -> bool {
    from_bf16(to_bf16(value)) == value
}

/// e^x within 2 units of the last place between -87 and 88; 0 below, by which a masked score counts nothing.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let clamped = x.clamp(-87.3, 88.0);
    let whole = (clamped * std::f32::consts::LOG2_E + 12_582_912.0) - 12_582_912.0;
    let rest = (clamped - whole * 0.693_359_4) - whole * -2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * rest + 1.398_199_9e-3;
    p = p * rest + 8.333_452e-3;
    p = p * rest + 4.166_579_6e-2;
    p = p * rest + 1.666_666_5e-1;
    p = p * rest + 0.5;
    p = p * rest * rest + rest + 1.0;
    let scale = f32::from_bits(((whole as i32 + 127) << 23) as u32);
    if x < -87.3 { 0.0 } else { p * scale }
}

#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let e = exp(-2.0 * x.abs());
    // Near 0 the quotient loses digits: the series keeps them.
    let small = x * (1.0 - x * x * (1.0 / 3.0 - x * x * (2.0 / 15.0)));
    let large = ((1.0 - e) / (1.0 + e)).copysign(x);
    if x.abs() < 0.05 { small } else { large }
}

/// The error function, Abramowitz and Stegun 7.1.26 made tighter by its fp32 exponential: within 2e-7.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * a);
    let p = ((((1.061_405_4 * t - 1.453_152) * t) + 1.421_413_8) * t - 0.284_496_72) * t + 0.254_829_6;
    (1.0 - p * t * exp(-a * a)).copysign(x)
}

#[inline(always)]
fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    0.5 * x * (1.0 + tanh(0.797_884_6 * (x + 0.044_715 * x * x * x)))
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

#[inline(always)]
fn gated_silu_loop(gate: &mut [f32], up: &[f32]) {
    gate.iter_mut().zip(up).for_each(|(g, u)| *g = silu(*g) * u);
}
#[inline(always)]
fn gated_gelu_loop(gate: &mut [f32], up: &[f32]) {
    gate.iter_mut().zip(up).for_each(|(g, u)| *g = gelu_tanh(*g) * u);
}
#[inline(always)]
fn gelu_tanh_loop(x: &mut [f32]) {
    x.iter_mut().for_each(|x| *x = gelu_tanh(*x));
}
#[inline(always)]
fn gelu_loop(x: &mut [f32]) {
    x.iter_mut().for_each(|x| *x = gelu(*x));
}
#[inline(always)]
fn silu_loop(x: &mut [f32]) {
    x.iter_mut().for_each(|x| *x = silu(*x));
}
leveled!(fn gated_silu_plain(gate: &mut [f32], up: &[f32]) = gated_silu_loop);

/// `silu(gate) * up`, in the gate's place.
pub fn gated_silu(level: Level, gate: &mut [f32], up: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    if level >= Level::Avx512 {
        let whole = gate.len().min(up.len()) / LANES * LANES;
        // SAFETY: a level is what the machine has.
        unsafe { wide::gated_silu(gate, up) };
        return gated_silu_plain(
            level,
            gate.get_mut(whole..).unwrap_or_default(),
            up.get(whole..).unwrap_or_default(),
        );
    }
    gated_silu_plain(level, gate, up);
}
leveled!(pub fn gated_gelu_tanh(gate: &mut [f32], up: &[f32]) = gated_gelu_loop);
leveled!(pub fn all_gelu_tanh(x: &mut [f32]) = gelu_tanh_loop);
leveled!(pub fn all_gelu(x: &mut [f32]) = gelu_loop);
leveled!(pub fn all_silu(x: &mut [f32]) = silu_loop);

#[inline(always)]
fn soft_cap_loop(x: &mut [f32], cap: f32) {
    x.iter_mut().for_each(|x| *x = cap * tanh(*x / cap));
}
leveled!(
    /// `cap * tanh(x / cap)`.
    pub fn soft_cap(x: &mut [f32], cap: f32) = soft_cap_loop
);

/// The sum in a fixed order: lanes first.
#[inline(always)]
pub fn lanes_sum(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for chunk in whole {
        lanes
            .iter_mut()
            .zip(chunk)
            .for_each(|(lane, value)| *lane += of(*value));
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|value| of(*value)).sum::<f32>()
}

#[inline(always)]
fn sum_loop(values: &[f32], out: &mut f32) {
    *out = lanes_sum(values, |value| value);
}
leveled!(pub fn sum(values: &[f32], out: &mut f32) = sum_loop);

#[inline(always)]
fn dot_loop(a: &[f32], b: &[f32], out: &mut f32) {
    let mut lanes = [0.0_f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    *out = lanes.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>();
}
leveled!(pub fn dot(a: &[f32], b: &[f32], out: &mut f32) = dot_loop);

#[inline(always)]
fn rms_loop(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let scale = (lanes_sum(x, |v| v * v) / x.len() as f32 + eps).sqrt().recip();
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = x * scale * weight;
    }
}
leveled!(
    /// Root mean square normalisation of a row.
    pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) = rms_loop
);

#[inline(always)]
fn layer_loop(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    let mean = lanes_sum(x, |v| v) / x.len() as f32;
    let variance = lanes_sum(x, |v| (v - mean) * (v - mean)) / x.len() as f32;
    let scale = (variance + eps).sqrt().recip();
    for (((out, x), weight), bias) in out.iter_mut().zip(x).zip(weight).zip(bias) {
        *out = (x - mean) * scale * weight + bias;
    }
}
leveled!(
    /// Mean and variance normalisation of a row.
    pub fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) = layer_loop
);

#[inline(always)]
fn add_loop(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}
leveled!(pub fn add(x: &mut [f32], y: &[f32]) = add_loop);

#[inline(always)]
fn rotate_loop(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (low, high) = head.split_at_mut(cos.len());
    for (((low, high), cos), sin) in low.iter_mut().zip(high).zip(cos).zip(sin) {
        (*low, *high) = (*low * cos - *high * sin, *high * cos + *low * sin);
    }
}
leveled!(
    /// Turns a head's halves by the angles of a position.
    pub fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32]) = rotate_loop
);

#[inline(always)]
fn pairs_loop(x: &[f32], out: &mut [u32]) {
    let (whole, rest) = x.as_chunks::<2>();
    for (out, [even, odd]) in out.iter_mut().zip(whole) {
        *out = u32::from(to_bf16(*even)) | (u32::from(to_bf16(*odd)) << 16);
    }
    if let (Some(last), [even]) = (out.get_mut(whole.len()), rest) {
        *last = u32::from(to_bf16(*even));
    }
}
leveled!(fn pairs_plain(x: &[f32], out: &mut [u32]) = pairs_loop);

/// A row as pairs of bf16 numbers; an odd last one is paired with 0.
pub fn pairs(level: Level, x: &[f32], out: &mut [u32]) {
    #[cfg(target_arch = "x86_64")]
    if level >= Level::Avx512Bf16 {
        let whole = x.len().min(2 * out.len()) / 32;
        // SAFETY: a level is what the machine has.
        unsafe { wide::all_pairs(x, out) };
        return pairs_plain(
            level,
            x.get(whole * 32..).unwrap_or_default(),
            out.get_mut(whole * 16..).unwrap_or_default(),
        );
    }
    pairs_plain(level, x, out);
}

/// The place of the largest value, the first of equals; 0 where there is none.
#[must_use]
pub fn argmax(values: &[f32]) -> usize {
    let (whole, rest) = values.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in whole {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = if *value > *lane { *value } else { *lane };
        }
    }
    let highest = lanes
        .iter()
        .chain(rest)
        .fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a });
    values.iter().position(|value| *value == highest).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_those_of_the_library() {
        for step in -8000..8000 {
            let x = step as f32 * 0.01;
            let near = |a: f32, b: f64, of: f64| (f64::from(a) - b).abs() <= of * b.abs().max(1e-3);
            let wide = f64::from(x);
            assert!(near(exp(x), wide.exp(), 3e-7), "exp {x}");
            assert!(near(tanh(x), wide.tanh(), 1e-6), "tanh {x}");
            assert!(
                (f64::from(silu(x)) - wide / (1.0 + (-wide).exp())).abs() < 1e-5,
                "silu {x}"
            );
        }
        // erf(0.5), erf(1), erf(2) from tables.
        for (x, y) in [
            (0.5, 0.520_499_9),
            (1.0, 0.842_700_8),
            (2.0, 0.995_322_3),
            (-1.0, -0.842_700_8),
        ] {
            assert!((erf(x) - y).abs() < 3e-7, "erf {x}");
        }
        assert_eq!((exp(-100.0), exp(f32::NEG_INFINITY)), (0.0, 0.0));
    }

    #[test]
    fn a_gate_is_the_same_on_every_level() {
        let gate: Vec<f32> = (0..75).map(|at| at as f32 * 0.7 - 25.0).collect();
        let up: Vec<f32> = (0..75).map(|at| (at % 7) as f32 - 3.0).collect();
        for level in Level::available() {
            let mut found = gate.clone();
            gated_silu(level, &mut found, &up);
            for ((found, gate), up) in found.iter().zip(&gate).zip(&up) {
                let (gate, up) = (f64::from(*gate), f64::from(*up));
                let expected = gate / (1.0 + (-gate).exp()) * up;
                assert!(
                    (f64::from(*found) - expected).abs() < 1e-5 * expected.abs().max(1.0),
                    "{level:?} {gate}"
                );
            }
        }
    }

    #[test]
    fn bf16_rounds_to_even_and_keeps_what_is_no_number() {
        assert_eq!(to_bf16(1.0), 0x3f80);
        assert_eq!(from_bf16(to_bf16(1.003_906_3)), 1.0, "halfway, to even");
        assert_eq!(from_bf16(to_bf16(1.011_718_8)), 1.015_625, "halfway, to even");
        assert!(from_bf16(to_bf16(f32::NAN)).is_nan());
        assert_eq!(from_bf16(to_bf16(f32::INFINITY)), f32::INFINITY);
    }

    #[test]
    fn argmax_takes_the_first_of_equals() {
        let mut values = vec![0.0; 100];
        (values[37], values[61]) = (3.0, 3.0);
        assert_eq!(argmax(&values), 37);
        values[99] = 4.0;
        assert_eq!(argmax(&values), 99);
        assert_eq!(argmax(&[]), 0);
    }
}
