use tch::{Device, Kind, Tensor};
use twinloom_shim::{AdamWStep, adamw, set_grad};

use crate::random;

/// The formulas of the paper, in plain arithmetic, on one value.
#[test]
fn adamw_follows_the_paper_and_can_be_skipped() {
    let value = random(&[1000], Kind::Float, 1);
    let (mean, square) = (value.zeros_like(), value.zeros_like());
    let one = |x: f32| Tensor::from_slice(&[x]);
    let (mut w, mut m, mut v) = (value.double_value(&[7]), 0.0_f64, 0.0_f64);
    for step in 1..=3 {
        let grad = random(&[1000], Kind::Float, 10 + i64::from(step));
        let g = grad.double_value(&[7]) / 4.0;
        let take = |skip: f32| {
            let counted = one(step as f32);
            let (scale, skip, grad) = (one(4.0), one(skip), grad.copy());
            let taken = AdamWStep {
                value: &value,
                grad: &grad,
                mean: &mean,
                square: &square,
                step: &counted,
                rate: 0.1,
                betas: (0.9, 0.99),
                decay: 0.1,
                epsilon: 1e-8,
                scale: &scale,
                skip: &skip,
            };
            adamw(&taken).unwrap();
        };
        take(1.0);
        assert!(
            (value.double_value(&[7]) - w).abs() < 1e-6,
            "a skipped step changes nothing"
        );
        take(0.0);
        m = 0.9 * m + 0.1 * g;
        v = 0.99 * v + 0.01 * g * g;
        let (mean, square) = (m / (1.0 - 0.9_f64.powi(step)), v / (1.0 - 0.99_f64.powi(step)));
        w = w * (1.0 - 0.1 * 0.1) - 0.1 * mean / (square.sqrt() + 1e-8);
        assert!((value.double_value(&[7]) - w).abs() < 1e-5);
    }
}

#[test]
fn backward_adds_to_a_slice_of_a_flat_tensor() {
    let flat = Tensor::zeros([6], (Kind::Float, Device::Cpu));
    let leaf = random(&[2, 2], Kind::Float, 1).set_requires_grad(true);
    set_grad(&leaf, &flat.narrow(0, 1, 4).view([2, 2])).unwrap();
    for _ in 0..2 {
        (&leaf * 3.0).sum(Kind::Float).backward();
    }
    assert_eq!(
        Vec::<f32>::try_from(&flat).unwrap(),
        [0.0, 6.0, 6.0, 6.0, 6.0, 0.0]
    );
}
