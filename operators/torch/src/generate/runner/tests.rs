//! What a runner on libtorch holds for keys and values.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::Path;

use tch::{Device, Kind};

use super::{Libtorch, Piece, Runner, Slot};
use crate::{checkpoint::Checkpoint, nn::Decoder};

fn libtorch(positions: usize) -> Libtorch {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny-llama");
    let decoder = Decoder::load(&Checkpoint::open(&dir).unwrap(), Device::Cpu, Kind::Float).unwrap();
    Libtorch::new(decoder, positions)
}

/// Bytes of keys and values of a position.
fn position() -> usize {
    let mut runner = libtorch(16);
    let slot = runner.open(&[1], 16, None).unwrap().unwrap().slot;
    read(&mut runner, slot, &[1]);
    runner.room().bytes / 16
}

fn read(runner: &mut Libtorch, slot: Slot, tokens: &[u32]) -> Vec<f32> {
    let _guard = tch::no_grad_guard();
    let piece = Piece {
        slot,
        tokens,
        wanted: true,
    };
    runner.step(&[piece]).unwrap()
}

#[test]
fn keys_and_values_stay_within_what_they_may_take() {
    let position = position();
    let mut runner = libtorch(64);
    let within = |runner: &Libtorch| {
        let bytes = runner.room().bytes;
        assert!(bytes <= 64 * position, "{} positions", bytes / position);
    };
    let mut open = Vec::new();
    while let Some(opened) = runner.open(&[1, 2, 3], 10, None).unwrap() {
        open.push(opened.slot);
        assert!(open.len() < 64, "no end");
    }
    assert_eq!(open.len(), 6, "every row is as long as the longest");
    assert_eq!(runner.room().free_positions, 0);
    for length in 0..10 {
        for slot in &open {
            read(&mut runner, *slot, &[length]);
            within(&runner);
        }
    }
    // A longer text has to wait until there are few enough beside it; rows that nobody uses give their place to it.
    assert_eq!(runner.open(&[1], 30, None).unwrap(), None);
    for slot in open.drain(1..) {
        runner.close(slot);
    }
    let long = runner.open(&[1], 30, None).unwrap().unwrap().slot;
    for token in 0..30 {
        read(&mut runner, long, &[token]);
        within(&runner);
    }
    runner.close(long);
    assert!(runner.room().bytes > 0, "one is still inside");
    runner.close(open[0]);
    assert_eq!((runner.room().bytes, runner.room().free_positions), (0, 64));
    assert_eq!(
        runner.open(&[1], 65, None).unwrap_err().code(),
        "model.input",
        "there is never room for it"
    );
}

#[test]
fn what_a_text_has_read_stays_when_rows_come_and_go_and_grow() {
    let text: Vec<u32> = (0..40).map(|n| (n * 29 + 3) % 250).collect();
    let mut alone = libtorch(1024);
    let slot = alone.open(&text, 40, None).unwrap().unwrap().slot;
    let expected = read(&mut alone, slot, &text);

    let mut runner = libtorch(128);
    let mut short = Vec::new();
    let first = runner.open(&text, 8, None).unwrap().unwrap().slot;
    let held = runner.open(&text, 40, None).unwrap().unwrap().slot;
    runner.close(first);
    read(&mut runner, held, &text[..5]);
    while let Some(opened) = runner.open(&[9], 8, None).unwrap() {
        read(&mut runner, opened.slot, &[9]);
        short.push(opened.slot);
    }
    assert_eq!(short.len(), 2);
    read(&mut runner, held, &text[5..17]);
    for slot in short {
        runner.close(slot);
    }
    read(&mut runner, held, &text[17..39]);
    let found = read(&mut runner, held, &text[39..]);
    let far = found
        .iter()
        .zip(&expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(far < 1e-4, "{far}");
}
