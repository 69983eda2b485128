use tch::{Device, Kind, Tensor};
use twinloom_shim::{Packed, frozen_linear, packed_linear, unpack};

use crate::{KINDS, apart, leaf, random, same, seeded};

#[test]
fn factors_get_the_gradients_of_plain_products() {
    for (kind, tolerance) in KINDS {
        let (w, bias) = (random(&[10, 12], kind, 1), random(&[10], kind, 2));
        let inputs = [
            random(&[2, 5, 12], kind, 3),
            random(&[4, 12], Kind::Float, 4),
            random(&[10, 4], Kind::Float, 5),
        ];
        same(
            &inputs,
            tolerance,
            |i| vec![frozen_linear(&i[0], &w, Some(&bias), Some((&i[1], &i[2])), 0.5).unwrap()],
            |i| {
                let x = i[0].to_kind(Kind::Float);
                let base = x.linear(&w.to_kind(Kind::Float), Some(&bias.to_kind(Kind::Float)));
                let low = x.linear::<&Tensor>(&i[1], None).linear::<&Tensor>(&i[2], None);
                vec![(base + low * 0.5).to_kind(kind)]
            },
        );
    }
}

#[test]
fn the_matrix_gets_no_gradient_and_an_input_without_one_costs_none() {
    let w = leaf(&random(&[10, 12], Kind::Float, 1));
    let x = leaf(&random(&[5, 12], Kind::Float, 3));
    frozen_linear(&x, &w, None, None, 1.0)
        .unwrap()
        .sum(Kind::Float)
        .backward();
    assert!(x.grad().defined() && !w.grad().defined());
    let a = leaf(&random(&[4, 12], Kind::Float, 4));
    let b = leaf(&random(&[10, 4], Kind::Float, 5));
    let y = frozen_linear(&x.detach(), &w, None, Some((&a, &b)), 1.0).unwrap();
    y.sum(Kind::Float).backward();
    assert!(a.grad().defined() && b.grad().defined());
    assert!(frozen_linear(&random(&[5, 11], Kind::Float, 3), &w, None, None, 1.0).is_err());
}

fn packed(double: bool) -> (Packed, Tensor) {
    let (outputs, inputs, group) = (6, 64, 32);
    let codes = [outputs * inputs / 2];
    let codes = seeded(9, || Tensor::randint(256, codes, (Kind::Uint8, Device::Cpu)));
    let table = random(&[16], Kind::Float, 4);
    let groups = outputs * inputs / group;
    let (scales, double, factors) = if double {
        let q = seeded(10, || {
            Tensor::randint_low(-127, 128, [groups], (Kind::Int8, Device::Cpu))
        });
        let (block, offset) = (Tensor::from_slice(&[0.01_f32]), Tensor::from_slice(&[2.0_f32]));
        let factors = q.to_kind(Kind::Float) * &block + &offset;
        (q, Some((block, offset)), factors)
    } else {
        let scales = random(&[groups], Kind::Float, 5);
        (scales.copy(), None, scales)
    };
    // Low half first.
    let low = codes.bitwise_and(15).to_kind(Kind::Int64);
    let high = codes.to_kind(Kind::Int64).divide_scalar_mode(16, "floor");
    let flat = Tensor::stack(&[low, high], -1).view([-1]);
    let dense = table.index_select(0, &flat).view([groups, group]) * factors.view([groups, 1]);
    let packed = Packed {
        shape: (outputs, inputs),
        codes,
        table,
        scales,
        double,
    };
    (packed, dense.view([outputs, inputs]))
}

#[test]
fn packed_matrices_unpack_and_multiply_as_dense_ones() {
    for double in [false, true] {
        let (packed, dense) = packed(double);
        assert!(apart(&unpack(&packed, Kind::Float).unwrap(), &dense) < 1e-6);
        assert!(apart(&unpack(&packed, Kind::BFloat16).unwrap(), &dense) < 1e-2);
        assert!(packed.bytes() < 6 * 64);
        let inputs = [
            random(&[5, 64], Kind::Float, 3),
            random(&[4, 64], Kind::Float, 4),
            random(&[6, 4], Kind::Float, 5),
        ];
        same(
            &inputs,
            1e-5,
            |i| vec![packed_linear(&i[0], &packed, None, Some((&i[1], &i[2])), 2.0).unwrap()],
            |i| vec![frozen_linear(&i[0], &dense, None, Some((&i[1], &i[2])), 2.0).unwrap()],
        );
    }
}
