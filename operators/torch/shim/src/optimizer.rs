//! The optimizer's step, and figures of a GPU's memory.

use tch::{TchError, Tensor};

use crate::{check, ffi, raw};

/// One AdamW step on flat fp32 tensors of equal size.
#[derive(Debug)]
pub struct AdamWStep<'a> {
    /// What is trained.
    pub value: &'a Tensor,
    /// Its gradient; divided by `scale` in place.
    pub grad: &'a Tensor,
    /// Mean of gradients.
    pub mean: &'a Tensor,
    /// Mean of their squares.
    pub square: &'a Tensor,
    /// The step's number, from 1: fp32 of one value.
    pub step: &'a Tensor,
    /// Learning rate.
    pub rate: f64,
    /// Decay of the two means.
    pub betas: (f64, f64),
    /// Weight decay.
    pub decay: f64,
    /// Added to the root.
    pub epsilon: f64,
    /// Divides the gradients: fp32 of one value.
    pub scale: &'a Tensor,
    /// 1 leaves everything as it is: fp32 of one value.
    pub skip: &'a Tensor,
}

/// Takes the step, in one pass and without waiting for a GPU.
///
/// # Errors
/// What libtorch says.
pub fn adamw(step: &AdamWStep<'_>) -> Result<(), TchError> {
    // SAFETY: all pointers are of tensors that outlive the call.
    check(unsafe {
        ffi::tl_adamw(
            raw(step.value),
            raw(step.grad),
            raw(step.mean),
            raw(step.square),
            raw(step.step),
            step.rate,
            step.betas.0,
            step.betas.1,
            step.decay,
            step.epsilon,
            raw(step.scale),
            raw(step.skip),
        )
    })
}

/// Makes `grad` what backward adds `value`'s gradient to.
///
/// # Errors
/// What libtorch says.
pub fn set_grad(value: &Tensor, grad: &Tensor) -> Result<(), TchError> {
    // SAFETY: both pointers are of tensors that outlive the call; the C side keeps a counted reference.
    check(unsafe { ffi::tl_set_grad(raw(value), raw(grad)) })
}

/// Whether libtorch refuses operations whose result may differ between two runs, from now on.
///
/// # Errors
/// What libtorch says.
pub fn deterministic(on: bool) -> Result<(), TchError> {
    // SAFETY: takes no pointers.
    check(unsafe { ffi::tl_deterministic(on) })
}

/// Bytes that a GPU's allocator has given out: now, and at most since the last call with `reset`.
///
/// # Errors
/// What libtorch says, without a GPU for instance.
pub fn gpu_memory(device: usize, reset: bool) -> Result<(u64, u64), TchError> {
    let (mut now, mut peak) = (0, 0);
    // SAFETY: both pointers are of numbers that outlive the call.
    check(unsafe { ffi::tl_gpu_memory(device as i64, &raw mut now, &raw mut peak, reset) })?;
    Ok((now.unsigned_abs(), peak.unsigned_abs()))
}
