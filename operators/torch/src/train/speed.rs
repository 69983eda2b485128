//! What a device's matrix products allow.

use std::time::Instant;

use tch::{Device, Kind, Tensor};

use crate::ModelError;

/// Rate of large matrix products of a type, in products and sums a second: what the device can do at most. Draws nothing
/// from libtorch's generator.
///
/// # Errors
/// What libtorch says.
pub fn matrix_rate(kind: Kind, device: Device) -> Result<f64, ModelError> {
    // Large enough to fill the device; some at a time, where one takes less than waiting for it.
    let (side, products): (i64, i32) = if device == Device::Cpu {
        (1024, 1)
    } else {
        (8192, 8)
    };
    let _guard = tch::no_grad_guard();
    // Numbers of all sizes: zeros or ones take less power, and with it less time.
    let numbers = |from: i64| {
        let numbers = Tensor::f_arange_start(from, from + side * side, (Kind::Float, device))?;
        numbers.f_sin()?.f_view([side, side])?.f_to_kind(kind)
    };
    let (a, b) = (numbers(0)?, numbers(side)?);
    let mut best = f64::INFINITY;
    // The first sets things up.
    for round in 0..4 {
        let start = Instant::now();
        let mut product = a.f_mm(&b)?;
        for _ in 1..products {
            product = a.f_mm(&b)?;
        }
        // A GPU is waited for.
        product.f_select(0, 0)?.f_select(0, 0)?.f_double_value(&[])?;
        if round > 0 {
            best = best.min(start.elapsed().as_secs_f64() / f64::from(products));
        }
    }
    Ok(2.0 * (side as f64).powi(3) / best.max(1e-12))
}
