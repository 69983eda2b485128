//! Learning from pairs of answers.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use tch::{Device, Tensor};
use tokio_util::sync::CancellationToken;
use twinloom_operators::train::{Config, Method, MicroBatch};
use twinloom_sdk::{Message, Reporter};

use super::{
    loops::{adapter, model, optimizer},
    resume::context,
};
use crate::{
    nn::Decoder,
    seeded::seeded,
    train::{
        batch::Batch,
        memory::Memory,
        preference::{Preference, likelihoods},
        resume::{Keeper, REFERENCE_NEW},
        tokens::{TokenFile, TokenWriter},
    },
};

fn file(dir: &Path, name: &str, pairs: u32) -> TokenFile {
    let mut writer = TokenWriter::create(&dir.join(name)).unwrap();
    for pair in 0..pairs {
        writer.push(&[1, 2 + pair, 10, 11, 12], 2).unwrap();
        writer.push(&[1, 2 + pair, 20, 21], 2).unwrap();
    }
    writer.finish().unwrap()
}

fn asked(model: &Decoder, file: &TokenFile, at_once: MicroBatch) -> Vec<f64> {
    likelihoods(model, file, Vec::new(), &mut Memory::new(at_once), |_| Ok(())).unwrap()
}

#[test]
fn preferences_start_at_even_odds_and_better_answers_become_likelier() {
    let dir = tempfile::tempdir().unwrap();
    let (train, held) = (file(dir.path(), "train", 4), file(dir.path(), "held", 4));
    let mut model = model(6);
    let [said, said_held] = [&train, &held].map(|file| asked(&model, file, MicroBatch::Whole));
    let preference = Preference::new(0.5, said, said_held);
    let adapter = adapter(&model);
    model.attach(&adapter).unwrap();
    let measured = |model: &Decoder| {
        let mut memory = Memory::new(MicroBatch::Fixed(1));
        preference
            .held_out(model, &held, 4, &mut memory, || Ok(()))
            .unwrap()
    };
    let even = measured(&model);
    assert!((even - 2_f64.ln()).abs() < 1e-5, "{even}");
    let mut optimizer = optimizer(adapter.weights());
    let numbers: Vec<usize> = (0..8).collect();
    let batch = Batch::read(&train, train.sequences(), Device::Cpu).unwrap();
    for _ in 0..20 {
        let _ = preference.backward(&model, &batch, &numbers, false).unwrap();
        let _ = optimizer.step(0.02, 0.25).unwrap();
    }
    let after = measured(&model);
    assert!(after < 0.3, "{after}");
}

#[test]
fn layers_computed_again_give_the_gradients_of_preferences_too() {
    let dir = tempfile::tempdir().unwrap();
    let train = file(dir.path(), "train", 4);
    let gradients = |recompute| {
        let mut model = model(6);
        let preference = Preference::new(0.5, asked(&model, &train, MicroBatch::Whole), Vec::new());
        let adapter = adapter(&model);
        for (index, weight) in adapter.weights().iter().enumerate() {
            let noise = seeded(index as u64, || weight.randn_like()) * 0.05;
            tch::no_grad(|| drop(weight.shallow_clone().f_add_(&noise).unwrap()));
        }
        model.attach(&adapter).unwrap();
        let batch = Batch::read(&train, train.sequences(), Device::Cpu).unwrap();
        let numbers: Vec<usize> = (0..8).collect();
        let loss = preference.backward(&model, &batch, &numbers, recompute).unwrap();
        let grads: Vec<Tensor> = adapter.weights().iter().map(Tensor::grad).collect();
        (loss.double_value(&[]), grads)
    };
    let ((loss, plain), (again, recomputed)) = (gradients(false), gradients(true));
    assert!((loss - again).abs() < 1e-6, "{loss} {again}");
    let size = |grads: &[Tensor]| {
        grads
            .iter()
            .map(|g| g.abs().max().double_value(&[]))
            .fold(0.0, f64::max)
    };
    assert!(size(&plain) > 1e-4);
    for (a, b) in plain.iter().zip(&recomputed) {
        assert!((a - b).abs().max().double_value(&[]) < 1e-6);
    }
}

#[test]
fn the_base_is_asked_part_by_part() {
    let dir = tempfile::tempdir().unwrap();
    let train = file(dir.path(), "train", 9);
    let model = model(6);
    let whole = asked(&model, &train, MicroBatch::Whole);
    let parts = asked(&model, &train, MicroBatch::Fixed(1));
    assert_eq!((whole.len(), parts.len()), (18, 18));
    let worst = whole
        .iter()
        .zip(&parts)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    assert!(worst < 1e-4, "{worst}");
    let mut sizes = Vec::new();
    let mut memory = Memory::new(MicroBatch::Fixed(2));
    likelihoods(&model, &train, Vec::new(), &mut memory, |so_far| {
        sizes.push(so_far.len());
        Ok(())
    })
    .unwrap();
    assert_eq!(sizes, [0, 4, 8, 12, 16], "two pairs at a time");
}

/// A training that was stopped while its base was asked goes on there, and one that was stopped later does not ask again.
#[test]
fn what_the_base_said_outlives_an_attempt() {
    let home = tempfile::tempdir().unwrap();
    let (train, held) = (file(home.path(), "train", 9), file(home.path(), "held", 3));
    let config = Config {
        micro_batch: MicroBatch::Fixed(2),
        ..Config::of(Method::Dpo)
    };
    let model = model(6);
    let attempt = |number: u32, stop_at: u64| {
        let (cancelled, seen) = (CancellationToken::new(), Arc::new(Mutex::new(Vec::new())));
        let (stop, own) = (cancelled.clone(), Arc::clone(&seen));
        let reporter = Reporter::new(move |message| {
            if let Message::Progress { done, .. } = message {
                own.lock().unwrap().push(done);
                if done >= stop_at {
                    stop.cancel();
                }
            }
        });
        let context = context(home.path(), number, &cancelled, reporter);
        let keeper = Keeper::new(&context, &config);
        let made = Preference::of_base(&context, &config, &keeper, &model, &train, &held);
        let seen = seen.lock().unwrap().clone();
        (made, seen, keeper)
    };
    let (stopped, seen, _) = attempt(1, 8);
    assert_eq!(stopped.unwrap_err().code, "task.cancelled");
    assert_eq!(seen, [0, 4, 8]);
    let (made, seen, _) = attempt(2, u64::MAX);
    assert_eq!(seen, [8, 12, 16, 18, 22]);
    let made = made.unwrap();
    let (again, seen, keeper) = attempt(3, u64::MAX);
    assert_eq!(seen, [0_u64; 0], "nothing is left to ask");
    assert_eq!(again.unwrap(), made);
    let [said, said_held] = [&train, &held].map(|file| asked(&model, file, MicroBatch::Fixed(2)));
    assert_eq!(Preference::new(config.beta, said, said_held), made);
    // Where it cannot be kept, the training goes on.
    let fresh = keeper.beside(REFERENCE_NEW);
    std::fs::create_dir(&fresh).unwrap();
    assert_eq!(attempt(4, u64::MAX).0.unwrap(), made);
    std::fs::remove_dir(&fresh).unwrap();
    // What a kill between writing and renaming leaves behind.
    std::fs::write(&fresh, "").unwrap();
    keeper.finish();
    let left: Vec<_> = std::fs::read_dir(home.path().join("work/checkpoints"))
        .unwrap()
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
