//! Autograd functions.

use tch::{Kind, TchError, Tensor};

use crate::{call, ffi, maybe, raw};

/// What a gate goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x * sigmoid(x)`.
    Silu,
    /// GELU in its approximation by tanh.
    GeluTanh,
}

/// A matrix of 4 bits a value. Values `i` and `i + 1` of the flattened matrix are the low and the high half of a byte.
#[derive(Debug)]
pub struct Packed {
    /// Outputs and inputs.
    pub shape: (i64, i64),
    /// Two codes a byte, Uint8, `outputs * inputs / 2`.
    pub codes: Tensor,
    /// What the 16 codes stand for, fp32.
    pub table: Tensor,
    /// A factor a group of equal size: fp32, or Int8 where they are quantised themselves.
    pub scales: Tensor,
    /// Of quantised scales: a factor for each block of 256, fp32, and what is added to all, fp32 of one value.
    pub double: Option<(Tensor, Tensor)>,
}

/// Root mean square norm over the last dimension: `x / sqrt(mean(x^2) + eps) * weight`.
///
/// # Errors
/// What libtorch says.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor, TchError> {
    // SAFETY: all pointers are of tensors that outlive the call.
    let [y] = call(|out| unsafe { ffi::tl_rms_norm(out, raw(x), maybe(None), raw(weight), eps) })?;
    Ok(y)
}

/// The norm of a sum, and the sum: a block's step on the residual stream, in one pass.
///
/// # Errors
/// What libtorch says.
pub fn add_rms_norm(
    x: &Tensor,
    delta: &Tensor,
    weight: &Tensor,
    eps: f64,
) -> Result<(Tensor, Tensor), TchError> {
    // SAFETY: all pointers are of tensors that outlive the call.
    let [y, sum] = call(|out| unsafe { ffi::tl_rms_norm(out, raw(x), raw(delta), raw(weight), eps) })?;
    Ok((y, sum))
}

/// Rotary positions by halves: `x` is `[batch, length, heads, dim]`; `cos` and `sin` are `[length, dim / 2]`, or
/// `[batch * length, dim / 2]` where sequences have positions of their own.
///
/// # Errors
/// What libtorch says.
pub fn rope(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor, TchError> {
    // SAFETY: all pointers are of tensors that outlive the call.
    let [y] = call(|out| unsafe { ffi::tl_rope(out, raw(x), raw(cos), raw(sin)) })?;
    Ok(y)
}

/// `activation(gate) * up`.
///
/// # Errors
/// What libtorch says.
pub fn gated(gate: &Tensor, up: &Tensor, activation: Activation) -> Result<Tensor, TchError> {
    let act = match activation {
        Activation::Silu => 0,
        Activation::GeluTanh => 1,
    };
    // SAFETY: all pointers are of tensors that outlive the call.
    let [y] = call(|out| unsafe { ffi::tl_gated(out, raw(gate), raw(up), act) })?;
    Ok(y)
}

/// `x W^T + bias`, plus `scale * (x A^T) B^T` where factors are given. W and the bias get no gradient. Factors may be of
/// another type than `x`: products are in the type of `x`, their gradients in their own.
///
/// # Errors
/// What libtorch says.
pub fn frozen_linear(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    factors: Option<(&Tensor, &Tensor)>,
    scale: f64,
) -> Result<Tensor, TchError> {
    let (outputs, inputs) = weight.size2()?;
    let none = maybe(None);
    let (a, b) = (maybe(factors.map(|f| f.0)), maybe(factors.map(|f| f.1)));
    // SAFETY: all pointers are of tensors that outlive the call.
    let [y] = call(|out| unsafe {
        ffi::tl_frozen_linear(
            out,
            raw(x),
            raw(weight),
            none,
            none,
            none,
            none,
            none,
            outputs,
            inputs,
            maybe(bias),
            a,
            b,
            scale,
        )
    })?;
    Ok(y)
}

/// [`frozen_linear`] with a packed matrix. It is unpacked for each product, forward and backward, and dropped after it.
///
/// # Errors
/// What libtorch says.
pub fn packed_linear(
    x: &Tensor,
    weight: &Packed,
    bias: Option<&Tensor>,
    factors: Option<(&Tensor, &Tensor)>,
    scale: f64,
) -> Result<Tensor, TchError> {
    let (outputs, inputs) = weight.shape;
    let (a, b) = (maybe(factors.map(|f| f.0)), maybe(factors.map(|f| f.1)));
    let (block_scales, offset) = weight.double_parts();
    // SAFETY: all pointers are of tensors that outlive the call.
    let [y] = call(|out| unsafe {
        ffi::tl_frozen_linear(
            out,
            raw(x),
            maybe(None),
            raw(&weight.codes),
            raw(&weight.table),
            raw(&weight.scales),
            maybe(block_scales),
            maybe(offset),
            outputs,
            inputs,
            maybe(bias),
            a,
            b,
            scale,
        )
    })?;
    Ok(y)
}

/// The dense matrix, `[outputs, inputs]`, as fp32 or bf16.
///
/// # Errors
/// What libtorch says.
pub fn unpack(weight: &Packed, kind: Kind) -> Result<Tensor, TchError> {
    let (outputs, inputs) = weight.shape;
    let (block_scales, offset) = weight.double_parts();
    // SAFETY: all pointers are of tensors that outlive the call.
    let [y] = call(|out| unsafe {
        ffi::tl_unpack(
            out,
            raw(&weight.codes),
            raw(&weight.table),
            raw(&weight.scales),
            maybe(block_scales),
            maybe(offset),
            outputs,
            inputs,
            i64::from(kind == Kind::BFloat16),
        )
    })?;
    Ok(y)
}

/// The summed cross-entropy of `x W^T` `[rows, classes]` against targets (Int64 `[rows]`), in nats, and that of each row
/// (without a gradient), fp32. Logits exist for some rows at a time. `softcap` above 0 bends logits as Gemma 2 does.
///
/// # Errors
/// What libtorch says; a target outside the classes.
pub fn loss_sum(
    x: &Tensor,
    weight: &Tensor,
    targets: &Tensor,
    softcap: f64,
) -> Result<(Tensor, Tensor), TchError> {
    // SAFETY: all pointers are of tensors that outlive the call.
    let [sum, each] =
        call(|out| unsafe { ffi::tl_loss_sum(out, raw(x), raw(weight), raw(targets), softcap) })?;
    Ok((sum, each))
}

/// The cross-entropy of each row, each with a gradient of its own; the output layer gets none and must not ask for one.
///
/// # Errors
/// As [`loss_sum`].
pub fn loss_each(x: &Tensor, weight: &Tensor, targets: &Tensor, softcap: f64) -> Result<Tensor, TchError> {
    // SAFETY: all pointers are of tensors that outlive the call.
    let [each] = call(|out| unsafe { ffi::tl_loss_each(out, raw(x), raw(weight), raw(targets), softcap) })?;
    Ok(each)
}

impl Packed {
    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let of = |tensor: &Tensor| tensor.numel() * tensor.kind().elt_size_in_bytes();
        let (block_scales, offset) = self.double_parts();
        of(&self.codes)
            + of(&self.table)
            + of(&self.scales)
            + block_scales.map_or(0, of)
            + offset.map_or(0, of)
    }

    fn double_parts(&self) -> (Option<&Tensor>, Option<&Tensor>) {
        match &self.double {
            Some((block_scales, offset)) => (Some(block_scales), Some(offset)),
            None => (None, None),
        }
    }
}
