//! Every function against plain operations: values, and gradients.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod activations;
mod linear;
mod loss;
mod optimizer;

use tch::{Device, Kind, Tensor};

/// The generator is one for the process, and tests run beside each other.
fn seeded(seed: i64, draw: impl FnOnce() -> Tensor) -> Tensor {
    static GENERATOR: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = GENERATOR.lock();
    tch::manual_seed(seed);
    draw()
}

fn random(shape: &[i64], kind: Kind, seed: i64) -> Tensor {
    seeded(seed, || Tensor::randn(shape, (Kind::Float, Device::Cpu))).to_kind(kind)
}

fn leaf(tensor: &Tensor) -> Tensor {
    tensor.copy().set_requires_grad(true)
}

/// Largest difference over the largest value.
fn apart(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    let (a, b) = (a.to_kind(Kind::Double), b.to_kind(Kind::Double));
    ((&a - &b).abs().max() / b.abs().max().clamp_min(1e-12)).double_value(&[])
}

/// Two ways to the same outputs agree in value and in the gradients of all inputs, along random directions.
fn same(
    inputs: &[Tensor],
    tolerance: f64,
    own: impl Fn(&[Tensor]) -> Vec<Tensor>,
    plain: impl Fn(&[Tensor]) -> Vec<Tensor>,
) {
    let run = |f: &dyn Fn(&[Tensor]) -> Vec<Tensor>| {
        let leaves: Vec<_> = inputs.iter().map(leaf).collect();
        let outputs = f(&leaves);
        let total = outputs
            .iter()
            .enumerate()
            .fold(Tensor::from(0.0), |sum, (index, out)| {
                let direction = random(&out.size(), out.kind(), 1000 + index as i64);
                sum + (out * direction).sum(Kind::Float)
            });
        total.backward();
        (outputs, leaves)
    };
    let ((own_out, own_leaves), (plain_out, plain_leaves)) = (run(&own), run(&plain));
    for (a, b) in own_out.iter().zip(&plain_out) {
        let apart = apart(a, b);
        assert!(apart < tolerance, "values are {apart} apart");
    }
    for (index, (a, b)) in own_leaves.iter().zip(&plain_leaves).enumerate() {
        let apart = apart(&a.grad(), &b.grad());
        assert!(apart < tolerance, "gradients of input {index} are {apart} apart");
    }
}

/// How close results of a type can be.
const KINDS: [(Kind, f64); 2] = [(Kind::Float, 2e-5), (Kind::BFloat16, 2e-2)];
