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
