use tch::{Kind, Reduction, Tensor};
use twinloom_shim::{loss_each, loss_sum};

use crate::{KINDS, apart, leaf, random};

fn plain(x: &Tensor, w: &Tensor, targets: &Tensor, softcap: f64) -> Tensor {
    let logits = x.linear::<&Tensor>(w, None).to_kind(Kind::Float);
    let logits = if softcap > 0.0 {
        (logits / softcap).tanh() * softcap
    } else {
        logits
    };
    logits.cross_entropy_loss::<Tensor>(targets, None, Reduction::None, -100, 0.0)
}

fn targets(rows: i64, classes: i64) -> Tensor {
    (Tensor::arange(rows, (Kind::Int64, tch::Device::Cpu)) * 7).remainder(classes)
}

/// 70,000 classes leave 64 rows (fp32) to a chunk: three chunks of 150 rows.
#[test]
fn sums_and_rows_agree_with_all_logits_at_once() {
    for (kind, tolerance) in KINDS {
        for softcap in [0.0, 3.0] {
            let (rows, classes) = (150, 70_000);
            let (x, w) = (random(&[rows, 8], kind, 1), random(&[classes, 8], kind, 2));
            let to = targets(rows, classes);
            let (own_x, own_w, plain_x, plain_w) = (leaf(&x), leaf(&w), leaf(&x), leaf(&w));
            let (sum, each) = loss_sum(&own_x, &own_w, &to, softcap).unwrap();
            let expected = plain(&plain_x, &plain_w, &to, softcap);
            assert!(apart(&each, &expected) < tolerance && !each.requires_grad());
            assert!(apart(&sum, &expected.sum(Kind::Float)) < tolerance);
            (sum * 0.25).backward();
            (expected.sum(Kind::Float) * 0.25).backward();
            assert!(apart(&own_x.grad(), &plain_x.grad()) < 2.0 * tolerance);
            assert!(apart(&own_w.grad(), &plain_w.grad()) < 2.0 * tolerance);

            let (own_x, plain_x) = (leaf(&x), leaf(&x));
            let direction = random(&[rows], Kind::Float, 5);
            (loss_each(&own_x, &w, &to, softcap).unwrap() * &direction)
                .sum(Kind::Float)
                .backward();
            (plain(&plain_x, &w, &to, softcap) * &direction)
                .sum(Kind::Float)
                .backward();
            assert!(apart(&own_x.grad(), &plain_x.grad()) < 2.0 * tolerance);
        }
    }
}

#[test]
fn targets_outside_the_vocabulary_and_trained_heads_by_row_are_refused() {
    let (x, w) = (random(&[3, 8], Kind::Float, 1), random(&[5, 8], Kind::Float, 2));
    for bad in [[0_i64, 5, 1], [0, -1, 1]] {
        assert!(
            loss_sum(&x, &w, &Tensor::from_slice(&bad), 0.0)
                .unwrap_err()
                .to_string()
                .contains("vocabulary")
        );
    }
    assert!(loss_each(&x, &leaf(&w), &targets(3, 5), 0.0).is_err());
}

#[test]
fn double_precision_takes_the_plain_way_and_agrees_closely() {
    let (x, w) = (random(&[6, 8], Kind::Double, 1), random(&[9, 8], Kind::Double, 2));
    let (own, other) = (leaf(&x), leaf(&x));
    let (sum, _) = loss_sum(&own, &w, &targets(6, 9), 0.0).unwrap();
    sum.backward();
    let logits = other.linear::<&Tensor>(&w, None);
    logits
        .cross_entropy_loss::<Tensor>(&targets(6, 9), None, Reduction::Sum, -100, 0.0)
        .backward();
    assert!(apart(&own.grad(), &other.grad()) < 1e-12);
}
