#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use super::*;

fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1_u64 << 24) as f32) * 2.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn product(format: Format, level: Level, threads: usize, rows: usize) -> (Vec<f32>, Vec<f32>) {
    let (inputs, outputs) = (67, 75);
    let (w, x) = (numbers(inputs * outputs, 1), numbers(rows * inputs, 2));
    let bias = numbers(outputs, 3);
    let weight = Packed::new(format, outputs, inputs, |row, out| {
        out.copy_from_slice(&w[row * inputs..(row + 1) * inputs]);
    });
    let linear = Linear {
        weight: weight.unwrap(),
        bias: Some(bias.clone()),
    };
    let cores = Cores::new(threads).with_level(level);
    let mut y = vec![1.0; rows * outputs];
    linear.forward(&cores, &x, rows, &mut y, true);
    let expected = (0..rows * outputs).map(|at| {
        let (row, output) = (at / outputs, at % outputs);
        let sum: f64 = (0..inputs)
            .map(|k| f64::from(w[output * inputs + k]) * f64::from(x[row * inputs + k]))
            .sum();
        sum as f32 + bias[output] + 1.0
    });
    (y, expected.collect())
}

#[test]
fn products_are_right_in_every_format_on_every_level() {
    for level in Level::available() {
        for (format, bound) in [
            (Format::F32, 1e-5),
            (Format::Bf16, 0.05),
            (Format::Int8 { group: 32 }, 0.05),
            (Format::Int8 { group: 1000 }, 0.06),
            (Format::Int4 { group: 16 }, 0.8),
        ] {
            let (found, expected) = product(format, level, 2, 25);
            let off = found
                .iter()
                .zip(&expected)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(off < bound, "{format:?} {level:?}: {off}");
            let norm = expected.iter().map(|v| v * v).sum::<f32>().sqrt();
            let error = found
                .iter()
                .zip(&expected)
                .map(|(a, b)| (a - b).powi(2))
                .sum::<f32>()
                .sqrt();
            let share = if matches!(format, Format::Int4 { .. }) {
                0.12
            } else {
                0.01
            };
            assert!(error < share * norm, "{format:?} {level:?}: {error} of {norm}");
        }
    }
}

#[test]
fn a_rows_result_does_not_depend_on_other_rows_or_on_threads() {
    for format in [
        Format::F32,
        Format::Bf16,
        Format::Int8 { group: 32 },
        Format::Int4 { group: 32 },
    ] {
        let (whole, _) = product(format, Level::detect(), 3, 121);
        for rows in [1, 2, 3, 5, 7, 11, 23] {
            let (some, _) = product(format, Level::detect(), 1, rows);
            assert_eq!(some, whole[..some.len()], "{format:?}, {rows} rows");
        }
    }
}

#[test]
fn an_empty_matrix_is_refused() {
    assert!(Packed::new(Format::F32, 0, 4, |_, _| ()).is_err());
    assert!(Packed::new(Format::Int8 { group: 0 }, 4, 4, |_, _| ()).is_err());
}

#[test]
fn activations_and_forms_are_the_same_on_every_level() {
    use crate::Activation;

    let values: Vec<[f32; PANEL]> = (0..40)
        .map(|row| std::array::from_fn(|column| (row * PANEL + column) as f32 * 0.03 - 19.0))
        .collect();
    let bias: Vec<f32> = numbers(PANEL, 5);
    // The error function itself is tested in `math`; here the levels have to agree about it.
    let by_tanh = |x: f64| 0.5 * x * (1.0 + (0.797_884_560_8 * (x + 0.044_715 * x.powi(3))).tanh());
    for (activation, of) in [
        (None, None),
        (
            Some(Activation::Silu),
            Some((|x: f64| x / (1.0 + (-x).exp())) as fn(f64) -> f64),
        ),
        (Some(Activation::GeluTanh), Some(by_tanh as fn(f64) -> f64)),
        (Some(Activation::Gelu), None),
    ] {
        for width in [PANEL, 7] {
            let mut found: Vec<(Level, [Vec<f32>; 3])> = Vec::new();
            for level in Level::available() {
                let forms = [Form::Write, Form::Add, Form::Pairs].map(|form| {
                    let mut out = vec![1.0_f32; values.len() * PANEL];
                    let sink = Sink {
                        at: out.as_mut_ptr().cast(),
                        stride: PANEL,
                        form,
                        activation,
                    };
                    // SAFETY: `out` has so many rows of a panel.
                    unsafe { sink::finish(level, &values, width, bias.get(..width), sink) };
                    out
                });
                found.push((level, forms));
            }
            let (_, plain) = &found[0];
            for (row, sums) in values.iter().enumerate() {
                for (column, sum) in sums.iter().enumerate().take(width) {
                    let x = sum + bias[column];
                    let at = row * PANEL + column;
                    let expected = match (activation, of) {
                        (None, _) => x,
                        (_, Some(of)) => of(f64::from(x)) as f32,
                        _ => plain[0][at],
                    };
                    for (level, [written, added, pairs]) in &found {
                        let near =
                            |a: f32, bound: f32| (a - expected).abs() <= bound * expected.abs().max(1.0);
                        assert!(
                            near(written[at], 2e-6),
                            "{activation:?} {level:?} {x}: {}",
                            written[at]
                        );
                        assert!(near(added[at] - 1.0, 4e-6), "{activation:?} {level:?} {x}");
                        let word = pairs[row * PANEL + column / 2].to_bits();
                        let half = f32::from_bits(if column % 2 == 0 {
                            word << 16
                        } else {
                            word & 0xffff_0000
                        });
                        assert!(near(half, 0.004), "{activation:?} {level:?} {x}: {half}");
                    }
                }
            }
            let (written, added) = (&found[0].1[0], &found[0].1[1]);
            let beyond = |out: &[f32]| {
                out.chunks_exact(PANEL)
                    .all(|row| row[width..].iter().all(|v| *v == 1.0))
            };
            assert!(
                beyond(written) && beyond(added),
                "columns beyond the width are others'"
            );
        }
    }
}
