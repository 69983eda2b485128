//! Methods and ways to save memory, on models of a few thousand weights; and PEFT's own figures.

use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::loops::{adapter, model, optimizer, sequences};
use crate::{
    checkpoint::Checkpoint,
    nn::{Adapter, Decoder, Step, Weight, weight::Bits},
    testing::golden,
    train::{
        AdamW, AdamWConfig,
        batch::{Batch, backward},
    },
};

fn figures() -> Value {
    serde_json::from_slice(&std::fs::read(golden("training/figures.json")).unwrap()).unwrap()
}

fn tiny() -> Decoder {
    let checkpoint = Checkpoint::open(&golden("tiny-llama")).unwrap();
    Decoder::load(&checkpoint, Device::Cpu, Kind::Float).unwrap()
}

/// As infra/golden/training.py makes them.
fn tokens(step: i64) -> Vec<(Vec<i64>, usize)> {
    let token = |s: i64, i: i64| (37 * step + 11 * s + 7 * i + i * i * (s + 1)) % 256;
    (0..4)
        .map(|s| ((0..24).map(|i| token(s, i)).collect(), 1))
        .collect()
}

#[test]
fn a_hundred_steps_have_peft_s_losses() {
    let expected: Vec<f64> = serde_json::from_value(figures()["losses"].clone()).unwrap();
    let mut model = tiny();
    let adapter = Adapter::load(&golden("tiny-llama/adapter"), Device::Cpu).unwrap();
    for weight in adapter.weights() {
        let _ = weight.set_requires_grad(true);
    }
    model.attach(&adapter).unwrap();
    let mut optimizer = optimizer(adapter.weights());
    for (step, expected) in expected.iter().enumerate() {
        let batch = Batch::new(&tokens(step as i64), Device::Cpu).unwrap();
        let loss = backward(&model, &batch, false).unwrap().double_value(&[]) / batch.targets() as f64;
        assert!((loss - expected).abs() < 1e-3, "step {step}: {loss} {expected}");
        let _ = optimizer.step(2e-3, 1.0 / batch.targets() as f64).unwrap();
    }
    assert_eq!(expected.len(), 100);
}

#[test]
fn rslora_and_dora_of_peft_give_its_logits_and_are_written_back_as_they_were() {
    for name in ["rslora", "dora"] {
        let expected: Vec<Vec<f32>> = serde_json::from_value(figures()[name].clone()).unwrap();
        let mut model = tiny();
        let adapter = Adapter::load(&golden("training").join(name), Device::Cpu).unwrap();
        model.attach(&adapter).unwrap();
        let ids = Tensor::from_slice(&tokens(0)[0].0).unsqueeze(0);
        let logits = tch::no_grad(|| model.forward(&ids, Step::default()).unwrap());
        let logits = logits.squeeze_dim(0).narrow(0, 22, 2).narrow(1, 0, 32);
        let worst = (logits - Tensor::from_slice2(&expected))
            .abs()
            .max()
            .double_value(&[]);
        assert!(worst < 1e-4, "{name}: {worst}");
        let dir = tempfile::tempdir().unwrap();
        adapter.save(dir.path()).unwrap();
        let read =
            |dir: &Path| Checkpoint::open_files(dir, &[dir.join("adapter_model.safetensors")]).unwrap();
        let (own, theirs) = (read(dir.path()), read(&golden("training").join(name)));
        assert_eq!(
            own.names().collect::<Vec<_>>(),
            theirs.names().collect::<Vec<_>>()
        );
        for name in own.names() {
            assert_eq!(
                own.raw(name, Device::Cpu).unwrap(),
                theirs.raw(name, Device::Cpu).unwrap()
            );
        }
    }
}

#[test]
fn layers_computed_again_give_the_same_gradients() {
    let gradients = |recompute| {
        let mut model = model(3);
        let adapter = adapter(&model);
        model.attach(&adapter).unwrap();
        let batch = Batch::new(&sequences(), Device::Cpu).unwrap();
        let loss = backward(&model, &batch, recompute).unwrap().double_value(&[]);
        (
            loss,
            adapter.weights().iter().map(Tensor::grad).collect::<Vec<_>>(),
        )
    };
    let ((loss, plain), (again, recomputed)) = (gradients(false), gradients(true));
    assert_eq!(loss, again);
    for (a, b) in plain.iter().zip(&recomputed) {
        assert!((a - b).abs().max().double_value(&[]) < 1e-6);
    }
    // Trained embeddings too.
    let whole = |recompute| {
        let model = model(3);
        for (_, weight) in model.named_weights() {
            let _ = weight.set_requires_grad(true);
        }
        let batch = Batch::new(&sequences(), Device::Cpu).unwrap();
        let _ = backward(&model, &batch, recompute).unwrap();
        let grads = model.named_weights().into_iter();
        grads.map(|(_, weight)| weight.grad()).collect::<Vec<_>>()
    };
    for (a, b) in whole(false).iter().zip(whole(true)) {
        assert!((a - b).abs().max().double_value(&[]) < 1e-5);
    }
}

/// Sequences of different lengths, end to end, against each alone: plain, through windows, with scores that are capped.
#[test]
fn packed_sequences_have_the_losses_that_they_have_alone() {
    let family = |name: &str| {
        let checkpoint = Checkpoint::open(&golden("families").join(name)).unwrap();
        Decoder::load(&checkpoint, Device::Cpu, Kind::Float).unwrap()
    };
    let long: Vec<(Vec<i64>, usize)> = [40, 7, 40, 23]
        .into_iter()
        .map(|length| ((0..length).map(|n| (n * n + 3 * length) % 50).collect(), 1))
        .collect();
    for (model, sequences) in [
        (model(1), sequences()),
        (family("mistral"), long.clone()),
        (family("gemma2"), long.clone()),
        (family("gpt2"), long),
    ] {
        packed_is_alone(&model, sequences);
    }
}

fn packed_is_alone(model: &Decoder, sequences: Vec<(Vec<i64>, usize)>) {
    let losses = |sequences: &[(Vec<i64>, usize)]| {
        let batch = Batch::new(sequences, Device::Cpu).unwrap();
        Vec::<f32>::try_from(tch::no_grad(|| batch.losses(model).unwrap())).unwrap()
    };
    let together = losses(&sequences);
    let alone: Vec<f32> = sequences.into_iter().flat_map(|one| losses(&[one])).collect();
    assert_eq!(together.len(), alone.len());
    let worst = together
        .iter()
        .zip(&alone)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(worst < 2e-5, "{worst}");
}

#[test]
fn a_base_of_four_bits_is_near_the_dense_one_and_can_be_trained_on() {
    for (bits, double) in [
        (Bits::Nf4, false),
        (Bits::Nf4, true),
        (Bits::Int4, false),
        (Bits::Int4, true),
    ] {
        let checkpoint = Checkpoint::open(&golden("tiny-llama")).unwrap();
        let read = Decoder::load_packed(&checkpoint, Device::Cpu, Kind::Float, bits, double);
        let (dense, mut packed) = (tiny(), read.unwrap());
        for (a, b) in dense.linears().zip(packed.linears()) {
            let (a, bytes) = (a.weight.dense().unwrap(), b.weight.bytes());
            let error =
                (&a - b.weight.dense().unwrap()).norm().double_value(&[]) / a.norm().double_value(&[]);
            assert!(error < 0.13 && error > 0.01, "{bits:?} {double}: {error}");
            assert!(bytes < a.numel() * 2, "{bytes} of {}", a.numel() * 4);
        }
        let adapter = adapter(&packed);
        packed.attach(&adapter).unwrap();
        let batch = Batch::new(&tokens(0), Device::Cpu).unwrap();
        let mut optimizer = optimizer(adapter.weights());
        let losses: Vec<f64> = (0..15)
            .map(|_| {
                let loss = backward(&packed, &batch, true).unwrap().double_value(&[]);
                let _ = optimizer.step(0.02, 1.0 / batch.targets() as f64).unwrap();
                loss
            })
            .collect();
        assert!(losses[14] < 0.95 * losses[0], "{losses:?}");
    }
}

#[test]
fn a_base_that_is_packed_while_it_is_read_is_the_one_whose_matrices_are_packed_afterwards() {
    for (dir, kind) in [
        (golden("tiny-llama"), Kind::Float),
        // Matrices `[in, out]`, in a type that is converted and in their own.
        (golden("families/gpt2"), Kind::Float),
        (golden("families/gpt2"), Kind::BFloat16),
    ] {
        let checkpoint = Checkpoint::open(&dir).unwrap();
        let dense = Decoder::load(&checkpoint, Device::Cpu, kind).unwrap();
        let read = Decoder::load_packed(&checkpoint, Device::Cpu, kind, Bits::Nf4, true).unwrap();
        assert_eq!(read.linears().count(), dense.linears().count());
        for (a, b) in read.linears().zip(dense.linears()) {
            let mut after = Weight::from(b.weight.dense().unwrap());
            after.pack(Bits::Nf4, true).unwrap();
            assert!(a.weight.as_dense().is_none() && a.weight.bytes() == after.bytes());
            assert_eq!(a.weight.dense().unwrap(), after.dense().unwrap());
        }
        // What was given back can be read again.
        assert_eq!(
            Decoder::load(&checkpoint, Device::Cpu, kind)
                .unwrap()
                .linears()
                .count(),
            read.linears().count()
        );
    }
}

#[test]
fn states_of_eight_bits_train_nearly_as_well() {
    let last = |eight_bit| {
        let mut model = model(4);
        let adapter = adapter(&model);
        model.attach(&adapter).unwrap();
        let config = AdamWConfig {
            eight_bit,
            ..AdamWConfig::default()
        };
        let mut optimizer = AdamW::new(adapter.weights(), config).unwrap();
        let batch = Batch::new(&sequences(), Device::Cpu).unwrap();
        let mut loss = 0.0;
        for _ in 0..40 {
            loss = backward(&model, &batch, false).unwrap().double_value(&[]);
            let _ = optimizer.step(0.01, 1.0 / batch.targets() as f64).unwrap();
        }
        let bytes: usize = optimizer
            .state()
            .unwrap()
            .1
            .iter()
            .filter(|(name, _)| name.contains("mean") || name.contains("square"))
            .map(|(_, tensor)| tensor.numel() * tensor.kind().elt_size_in_bytes())
            .sum();
        (loss, bytes)
    };
    let ((full, wide), (eight, narrow)) = (last(false), last(true));
    assert!((full - eight).abs() < 0.1 * full, "{full} {eight}");
    assert!(narrow * 3 < wide, "{narrow} {wide}");
}
