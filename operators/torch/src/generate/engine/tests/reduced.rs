//! Reduced weights: how far their logits and tokens are from those of fp32.

use super::*;
use crate::generate::{Piece, Runner};

/// Logits after each of some prompts.
fn logits(format: Format) -> Vec<Vec<f32>> {
    let mut runner = Native::new(
        &decoder(&golden("tiny-llama")),
        NativeOptions { format, ..options() },
    )
    .unwrap();
    (0..16)
        .map(|n| {
            let ids = prompt(n, 20);
            let opened = runner.open(&ids, 20, None).unwrap().unwrap();
            let piece = Piece {
                slot: opened.slot,
                tokens: &ids,
                wanted: true,
            };
            let logits = runner.step(&[piece]).unwrap();
            runner.close(opened.slot);
            logits
        })
        .collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn logits_stay_near_those_of_fp32() {
    let exact = logits(Format::F32);
    for (format, near, agreeing) in [
        (Format::Bf16, 0.999, 15),
        (Format::Int8 { group: 64 }, 0.997, 14),
        (Format::Int4 { group: 32 }, 0.85, 8),
    ] {
        let found = logits(format);
        let worst = exact
            .iter()
            .zip(&found)
            .map(|(a, b)| cosine(a, b))
            .fold(1.0, f32::min);
        let best = |values: &[f32]| twinloom_kernels::argmax(values);
        let same = exact
            .iter()
            .zip(&found)
            .filter(|(a, b)| best(a) == best(b))
            .count();
        eprintln!("{format:?}: cosine {worst}, {same} of 16 likeliest tokens");
        assert!(
            worst > near && same >= agreeing,
            "{format:?}: cosine {worst}, {same} of 16"
        );
    }
}
