//! What libtorch has in C++ and tch does not.
//!
//! - Autograd functions that save little: [`rms_norm`], [`add_rms_norm`], [`rope`], [`gated`]; on CPU in fp32 and bf16
//!   they are one loop over rows, elsewhere ATen's operations.
//! - [`frozen_linear`]: a matrix that is not trained, dense or of 4 bits, with or without low-rank factors.
//! - [`loss_sum`] and [`loss_each`]: cross-entropy that never holds all logits.
//! - [`adamw`]: one pass over flat tensors, without waiting for a GPU.
//! - [`gpu_memory`]: what a GPU's allocator holds; [`deterministic`]: libtorch's switch.
//!
//! Nothing here knows models or operators. Every function is tested against plain operations, values and gradients.

mod ffi;
mod functions;
mod optimizer;

pub use functions::{
    Activation, Packed, add_rms_norm, frozen_linear, gated, loss_each, loss_sum, packed_linear, rms_norm,
    rope, unpack,
};
pub use optimizer::{AdamWStep, adamw, deterministic, gpu_memory, set_grad};

use std::ffi::{CStr, c_char};

use ffi::Raw;
use tch::{TchError, Tensor};

/// A tensor as the C side takes it. The C side reads it and keeps at most a counted reference.
fn raw(tensor: &Tensor) -> Raw {
    tensor.as_ptr().cast_mut().cast()
}

fn maybe(tensor: Option<&Tensor>) -> Raw {
    tensor.map_or(std::ptr::null_mut(), raw)
}

/// The C side's answer as a result.
fn check(text: *mut c_char) -> Result<(), TchError> {
    if text.is_null() {
        return Ok(());
    }
    // SAFETY: the C side gives a NUL-terminated text that it allocated, and takes it back once.
    let message = unsafe {
        let message = CStr::from_ptr(text).to_string_lossy().into_owned();
        ffi::tl_free(text);
        message
    };
    Err(TchError::Torch(message))
}

/// Calls a function that gives `N` new tensors.
fn call<const N: usize>(run: impl FnOnce(*mut Raw) -> *mut c_char) -> Result<[Tensor; N], TchError> {
    let mut out: [Raw; N] = [std::ptr::null_mut(); N];
    check(run(out.as_mut_ptr()))?;
    // SAFETY: without an error every place holds a tensor that is ours now.
    Ok(out.map(|tensor| unsafe { Tensor::from_ptr(tensor.cast()) }))
}
