//! Losses, gradients and the effect of adapters, on models of a few thousand weights.

use tch::{Device, Kind, Tensor};

use crate::{
    nn::{Adapter, AdapterConfig, Architecture, Decoder, Step},
    seeded::seeded,
    train::{AdamW, AdamWConfig, Loss, batch::Batch, losses, tokens::TokenWriter},
};

pub fn model(seed: u64) -> Decoder {
    let architecture = Architecture {
        vocabulary: 50,
        hidden: 32,
        intermediate: 48,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        head_dim: 8,
        max_positions: 64,
        norm_eps: 1e-5,
        rope_theta: 10_000.0,
        tied: true,
        attention_bias: [false; 2],
        mlp_bias: false,
        ..Architecture::default()
    };
    Decoder::random(architecture, seed, Device::Cpu).unwrap()
}

pub fn adapter(model: &Decoder) -> Adapter {
    let config = AdapterConfig {
        r: 4,
        lora_alpha: 8.0,
        target_modules: ["q_proj", "v_proj", "down_proj"].map(str::to_owned).into(),
        ..AdapterConfig::default()
    };
    Adapter::new(model, config, 1).unwrap()
}

pub fn sequences() -> Vec<(Vec<i64>, usize)> {
    vec![
        ((1..12).collect(), 4),
        ((20..26).collect(), 1),
        (vec![3, 4, 5], 2),
    ]
}

pub fn optimizer(weights: Vec<Tensor>) -> AdamW {
    AdamW::new(weights, AdamWConfig::default()).unwrap()
}

/// One sequence at a time, all logits, log-softmax by hand.
#[test]
fn a_padded_batch_gives_each_sequence_its_own_loss() {
    let model = model(1);
    let batch = Batch::new(&sequences(), Device::Cpu).unwrap();
    assert_eq!(batch.counts, [7, 5, 1]);
    let together = Vec::<f32>::try_from(tch::no_grad(|| batch.losses(&model).unwrap())).unwrap();
    let mut alone = Vec::new();
    for (tokens, given) in sequences() {
        let ids = Tensor::from_slice(&tokens).unsqueeze(0);
        let logits =
            tch::no_grad(|| model.forward(&ids, Step::default()).unwrap()).log_softmax(-1, Kind::Float);
        for (index, token) in tokens.iter().enumerate().skip(given) {
            alone.push(-logits.double_value(&[0, index as i64 - 1, *token]) as f32);
        }
    }
    let worst = together
        .iter()
        .zip(&alone)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(together.len() == alone.len() && worst < 1e-4, "{worst}");
}

#[test]
fn measured_losses_come_in_the_order_of_the_sequences() {
    let (model, dir) = (model(2), tempfile::tempdir().unwrap());
    let mut writer = TokenWriter::create(&dir.path().join("tokens")).unwrap();
    for (tokens, given) in sequences() {
        writer
            .push(
                &tokens.iter().map(|token| *token as u32).collect::<Vec<_>>(),
                given,
            )
            .unwrap();
    }
    let file = writer.finish().unwrap();
    let all = losses::<crate::ModelError>(&model, &file, file.sequences(), || Ok(())).unwrap();
    for (sequence, expected) in file.sequences().iter().zip(&all) {
        let one = losses::<crate::ModelError>(&model, &file, &[*sequence], || Ok(())).unwrap();
        assert!((one[0].mean() - expected.mean()).abs() < 1e-4 && one[0].tokens == expected.tokens);
    }
    let total = all.iter().copied().fold(Loss::default(), Loss::plus);
    assert_eq!(total.tokens, 13);
    let stopped = losses(&model, &file, file.sequences(), || {
        Err(crate::ModelError::input("stop", ""))
    });
    assert_eq!(stopped.unwrap_err().to_string(), "stop");
}

/// The derivative along a random direction against the difference of two losses.
#[test]
fn gradients_of_adapters_agree_with_differences() {
    let mut model = model(3);
    let adapter = adapter(&model);
    for (index, weight) in adapter.weights().iter().enumerate() {
        let noise = seeded(index as u64, || weight.randn_like());
        tch::no_grad(|| {
            weight
                .shallow_clone()
                .f_add_(&(noise * 0.05))
                .map(|_| ())
                .unwrap()
        });
    }
    model.attach(&adapter).unwrap();
    let batch = Batch::new(&sequences(), Device::Cpu).unwrap();
    let loss = || batch.losses(&model).unwrap().sum(Kind::Double);
    loss().backward();
    let directions: Vec<Tensor> = seeded(99, || adapter.weights().iter().map(Tensor::randn_like).collect());
    let slope: f64 = adapter
        .weights()
        .iter()
        .zip(&directions)
        .map(|(w, d)| (w.grad() * d).sum(Kind::Double).double_value(&[]))
        .sum();
    let moved = |by: f64| {
        tch::no_grad(|| {
            for (weight, direction) in adapter.weights().iter().zip(&directions) {
                let _ = weight.shallow_clone().f_add_(&(direction * by)).unwrap();
            }
            loss().double_value(&[])
        })
    };
    let step = 1e-3;
    let difference = (moved(step) - moved(-2.0 * step)) / (2.0 * step);
    assert!(
        (slope - difference).abs() < 0.02 * slope.abs().max(1.0),
        "{slope} {difference}"
    );
}

#[test]
fn training_changes_the_adapter_alone_and_lowers_the_loss() {
    let mut model = model(4);
    let adapter = adapter(&model);
    let sum = |tensors: &[Tensor]| {
        tensors
            .iter()
            .map(|t| t.abs().sum(Kind::Double).double_value(&[]))
            .sum::<f64>()
    };
    let frozen = |model: &Decoder| {
        sum(&model
            .named_weights()
            .into_iter()
            .map(|(_, weight)| weight)
            .collect::<Vec<_>>())
    };
    let batch = Batch::new(&sequences(), Device::Cpu).unwrap();
    let loss =
        |model: &Decoder| tch::no_grad(|| batch.losses(model).unwrap().sum(Kind::Double).double_value(&[]));
    let (base_before, base_loss) = (frozen(&model), loss(&model));
    model.attach(&adapter).unwrap();
    assert!(
        (loss(&model) - base_loss).abs() < 1e-9,
        "a new adapter changes nothing"
    );
    let (adapter_before, mut optimizer) = (sum(&adapter.weights()), optimizer(adapter.weights()));
    for _ in 0..30 {
        batch.losses(&model).unwrap().sum(Kind::Float).backward();
        let norm = optimizer.step(0.02, 1.0 / batch.targets() as f64).unwrap();
        assert!(norm.double_value(&[]) > 0.0);
    }
    assert!(loss(&model) < 0.95 * base_loss, "{} {base_loss}", loss(&model));
    assert_ne!(sum(&adapter.weights()), adapter_before);
    assert_eq!(frozen(&model), base_before);
    model.detach();
    assert!((loss(&model) - base_loss).abs() < 1e-9);
}

#[test]
fn a_merged_model_computes_what_the_adapter_computes() {
    let mut model = model(5);
    let adapter = adapter(&model);
    tch::no_grad(|| {
        for (index, weight) in adapter.weights().iter().enumerate() {
            let noise = seeded(index as u64 + 50, || weight.randn_like());
            let _ = weight.shallow_clone().f_add_(&(noise * 0.1)).unwrap();
        }
    });
    let ids = Tensor::from_slice(&[1_i64, 7, 9, 30, 2]).unsqueeze(0);
    let forward = |model: &Decoder| tch::no_grad(|| model.forward(&ids, Step::default()).unwrap());
    let plain = forward(&model);
    model.attach(&adapter).unwrap();
    let adapted = forward(&model);
    model.detach();
    for (name, weight) in model.named_weights() {
        let Some((a, b)) = name
            .strip_suffix(".weight")
            .and_then(|layer| adapter.factors(layer))
        else {
            continue;
        };
        tch::no_grad(|| {
            let _ = weight
                .shallow_clone()
                .f_add_(&(b.matmul(a) * adapter.config().scale()))
                .unwrap();
        });
    }
    let difference = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]);
    assert!(difference(&forward(&model), &adapted) < 1e-4);
    assert!(difference(&plain, &adapted) > 1e-2);
}
