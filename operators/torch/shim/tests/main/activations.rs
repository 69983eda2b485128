use tch::{Kind, Tensor};
use twinloom_shim::{Activation, add_rms_norm, gated, rms_norm, rope};

use crate::{KINDS, random, same};

fn plain_norm(x: &Tensor, w: &Tensor) -> Tensor {
    let kind = x.kind();
    let x = x.to_kind(Kind::Float);
    let mean = (&x * &x).mean_dim([-1_i64].as_slice(), true, None);
    (&x * (mean + 1e-5).rsqrt() * w.to_kind(Kind::Float)).to_kind(kind)
}

#[test]
fn norms_agree() {
    for (kind, tolerance) in KINDS {
        // 130 rows of 50: several runs of rows, and a width that no vector divides.
        let inputs = [random(&[2, 65, 50], kind, 1), random(&[50], kind, 2)];
        same(
            &inputs,
            tolerance,
            |i| vec![rms_norm(&i[0], &i[1], 1e-5).unwrap()],
            |i| vec![plain_norm(&i[0], &i[1])],
        );
        let inputs = [
            random(&[3, 50], kind, 1),
            random(&[3, 50], kind, 3),
            random(&[50], kind, 2),
        ];
        let own = |i: &[Tensor]| {
            let (y, sum) = add_rms_norm(&i[0], &i[1], &i[2], 1e-5).unwrap();
            vec![y, sum]
        };
        same(&inputs, tolerance, own, |i| {
            let sum = &i[0] + &i[1];
            vec![plain_norm(&sum, &i[2]), sum]
        });
    }
}

#[test]
fn a_norm_that_is_not_used_passes_the_sum_on() {
    let inputs = [
        random(&[3, 8], Kind::Float, 1),
        random(&[3, 8], Kind::Float, 3),
        random(&[8], Kind::Float, 2),
    ];
    let leaves: Vec<_> = inputs.iter().map(crate::leaf).collect();
    let (_, sum) = add_rms_norm(&leaves[0], &leaves[1], &leaves[2], 1e-5).unwrap();
    sum.sum(Kind::Float).backward();
    assert_eq!(leaves[1].grad().sum(Kind::Float).double_value(&[]), 24.0);
}

#[test]
fn rotations_agree_and_keep_lengths() {
    for (kind, tolerance) in KINDS {
        for positions in [5, 10] {
            let angles = random(&[positions, 4], Kind::Float, 7);
            let (cos, sin) = (angles.cos(), angles.sin());
            let plain = |i: &[Tensor]| {
                let shape = [if positions == 5 { 1 } else { 2 }, 5, 1, 4];
                let (c, s) = (cos.view(shape), sin.view(shape));
                let wide = i[0].to_kind(Kind::Float);
                let (a, b) = (wide.narrow(3, 0, 4), wide.narrow(3, 4, 4));
                vec![Tensor::cat(&[&a * &c - &b * &s, &b * &c + &a * &s], 3).to_kind(kind)]
            };
            same(
                &[random(&[2, 5, 3, 8], kind, 1)],
                tolerance,
                |i| vec![rope(&i[0], &cos, &sin).unwrap()],
                plain,
            );
            // A slice of a wider product, as a joint query-key-value product gives it.
            same(
                &[random(&[2, 5, 40], kind, 1)],
                tolerance,
                |i| vec![rope(&i[0].narrow(2, 8, 24).view([2, 5, 3, 8]), &cos, &sin).unwrap()],
                |i| plain(&[i[0].narrow(2, 8, 24).view([2, 5, 3, 8])]),
            );
        }
    }
    let x = random(&[1, 5, 3, 8], Kind::Float, 1);
    assert!(
        rope(
            &x,
            &random(&[4, 4], Kind::Float, 1),
            &random(&[4, 4], Kind::Float, 1)
        )
        .is_err()
    );
}

#[test]
fn gates_agree() {
    for (kind, tolerance) in KINDS {
        let inputs = [random(&[7, 33], kind, 1) * 3.0, random(&[7, 33], kind, 2)];
        same(
            &inputs,
            tolerance,
            |i| vec![gated(&i[0], &i[1], Activation::Silu).unwrap()],
            |i| vec![(i[0].to_kind(Kind::Float).silu() * i[1].to_kind(Kind::Float)).to_kind(kind)],
        );
        same(
            &inputs,
            tolerance,
            |i| vec![gated(&i[0], &i[1], Activation::GeluTanh).unwrap()],
            |i| vec![(i[0].to_kind(Kind::Float).gelu("tanh") * i[1].to_kind(Kind::Float)).to_kind(kind)],
        );
    }
    // Where exp would overflow.
    let far = Tensor::from_slice(&[-200.0_f32, -90.0, 90.0, 200.0]);
    let y = Vec::<f32>::try_from(gated(&far, &far.ones_like(), Activation::Silu).unwrap()).unwrap();
    assert!(
        y[0].abs() < 1e-30 && y[1].abs() < 1e-30 && y[2] == 90.0 && y[3] == 200.0,
        "{y:?}"
    );
}
