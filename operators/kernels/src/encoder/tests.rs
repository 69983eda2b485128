#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use super::*;
use crate::{Format, Packed, linear::bits, math};

const HIDDEN: usize = 24;
const HEADS_OF: usize = 3;

fn number(seed: usize) -> f32 {
    ((seed.wrapping_mul(2_654_435_761) >> 7) % 1000) as f32 / 1000.0 - 0.5
}

fn linear(format: Format, outputs: usize, inputs: usize, seed: usize) -> Linear {
    let weight = Packed::new(format, outputs, inputs, |row, out| {
        out.iter_mut()
            .enumerate()
            .for_each(|(k, out)| *out = number(seed + row * inputs + k));
    });
    Linear {
        weight: weight.unwrap(),
        bias: Some((0..outputs).map(|at| number(seed * 7 + at)).collect()),
    }
}

fn encoder(format: Format) -> Encoder {
    let norm = || Norm::Layer {
        weight: vec![1.1; HIDDEN],
        bias: vec![0.1; HIDDEN],
        eps: 1e-12,
    };
    let layer = |seed: usize| EncoderLayer {
        qkv: linear(format, 3 * HIDDEN, HIDDEN, seed),
        output: linear(format, HIDDEN, HIDDEN, seed + 1),
        attention_norm: norm(),
        up: linear(format, 40, HIDDEN, seed + 2),
        activation: Activation::Gelu,
        down: linear(format, HIDDEN, 40, seed + 3),
        feed_norm: norm(),
    };
    Encoder {
        layers: vec![layer(10), layer(20)],
        heads: HEADS_OF,
        hidden: HIDDEN,
    }
}

/// Attention as its definition has it, in fp64.
fn attention(qkv: &[f32], length: usize, (heads, dim): (usize, usize)) -> Vec<f32> {
    let hidden = heads * dim;
    let get = |token: usize, which: usize, head: usize, d: usize| {
        f64::from(qkv[token * 3 * hidden + which * hidden + head * dim + d])
    };
    let mut out = vec![0.0; length * hidden];
    for (token, head) in (0..length).flat_map(|token| (0..heads).map(move |head| (token, head))) {
        let score = |key: usize| {
            let dot: f64 = (0..dim)
                .map(|d| get(token, 0, head, d) * get(key, 1, head, d))
                .sum();
            (dot / (dim as f64).sqrt()).exp()
        };
        let weights: Vec<f64> = (0..length).map(score).collect();
        let total: f64 = weights.iter().sum();
        for d in 0..dim {
            let sum: f64 = (0..length).map(|key| weights[key] * get(key, 2, head, d)).sum();
            out[token * hidden + head * dim + d] = (sum / total) as f32;
        }
    }
    out
}

#[test]
fn attention_is_what_its_definition_says_on_every_level() {
    for (level, half) in Level::available()
        .into_iter()
        .map(|level| (level, false))
        .chain([(Level::Avx512Bf16, true)])
        .filter(|(level, _)| *level <= Level::detect())
    {
        let cores = Cores::new(2).with_level(level);
        for (heads, dim) in [(3, 8), (2, 5), (1, 40), (2, 64)] {
            if half && dim % 2 == 1 {
                continue;
            }
            let (shape, row) = (Shape { heads, dim, half }, 3 * heads * dim);
            // Two texts end to end: a text must not see what lies behind its end.
            for length in [1, 2, 3, 16, 37, 65] {
                let qkv: Vec<f32> = (0..(length + 1) * row)
                    .map(|at| number(at + length) * 4.0)
                    .collect();
                let mut words = bits(&qkv).to_vec();
                if half {
                    words.truncate(qkv.len() / 2);
                    math::pairs(level, &qkv, &mut words);
                }
                let mut out = vec![0.0; (length + 1) * heads * dim];
                attend(&cores, shape, &words, &[length, 1], &Pool::default(), &mut out);
                let expected = attention(&qkv, length, (heads, dim));
                let off = out
                    .iter()
                    .zip(&expected)
                    .map(|(a, b)| (a - b).abs())
                    .fold(0.0, f32::max);
                let bound = if half { 0.03 } else { 1e-5 };
                assert!(
                    off < bound,
                    "{level:?}, half {half}, dim {dim}, length {length}: {off}"
                );
                let last = &qkv[length * row + 2 * heads * dim..];
                let own = &out[length * heads * dim..];
                let off = own
                    .iter()
                    .zip(last)
                    .map(|(a, b)| (a - b).abs())
                    .fold(0.0, f32::max);
                assert!(off < bound, "a text of one token is its value: {off}");
            }
        }
    }
}

#[test]
fn levels_and_numbers_of_threads_agree() {
    let lengths = [70, 3, 41];
    let run = |level, threads, format| {
        let cores = Cores::new(threads).with_level(level);
        let mut x: Vec<f32> = (0..114 * HIDDEN).map(|at| number(at * 5)).collect();
        encoder(format).forward(&cores, &mut x, &lengths);
        x
    };
    for format in [Format::F32, Format::Bf16, Format::Int8 { group: 64 }] {
        let best = run(Level::detect(), 1, format);
        // With eight threads there are too few rows for blocks.
        for threads in [2, 3, 8] {
            assert_eq!(
                best,
                run(Level::detect(), threads, format),
                "{format:?}, {threads} threads"
            );
        }
        for level in Level::available() {
            let found = run(level, 2, format);
            let off = best
                .iter()
                .zip(&found)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            let bound = if format == Format::F32 { 2e-4 } else { 0.1 };
            assert!(off < bound, "{format:?} {level:?}: {off}");
        }
    }
}

#[test]
fn texts_do_not_see_each_other_and_reduced_weights_stay_near() {
    let cores = Cores::new(2);
    let lengths = [5, 17, 1, 32];
    let states = |text: usize| (0..lengths[text] * HIDDEN).map(move |at| number(at * 3 + text * 977));
    let together = |format| {
        let mut x: Vec<f32> = (0..4).flat_map(states).collect();
        encoder(format).forward(&cores, &mut x, &lengths);
        x
    };
    let exact = together(Format::F32);
    let mut start = 0;
    for (text, length) in lengths.iter().enumerate() {
        let mut x: Vec<f32> = states(text).collect();
        encoder(Format::F32).forward(&cores, &mut x, &[*length]);
        assert_eq!(x, exact[start..start + x.len()], "text {text}");
        start += x.len();
    }
    let cosine = |a: &[f32], b: &[f32]| {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    assert!(cosine(&exact, &together(Format::Bf16)) > 0.9995);
    assert!(cosine(&exact, &together(Format::Int8 { group: 64 })) > 0.999);
}
