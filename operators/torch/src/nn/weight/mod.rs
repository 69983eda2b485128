//! What a linear layer's matrix is held as: dense, or packed into fewer bits.
//!
//! A packed matrix is frozen. It is unpacked for the product that needs it and dropped after it, forward and backward
//! alike: the dense copy never stays. A new form is a file here and a line in each `match`.

mod four_bit;

use tch::{Device, Kind, Tensor};
use twinloom_shim::Packed;

pub use four_bit::Bits;

use crate::ModelError;

/// A matrix `[out, in]`.
#[derive(Debug)]
pub enum Weight {
    /// As it is: fp32, bf16 or fp16.
    Dense(Tensor),
    /// In 4 bits a value; products are in the type beside it.
    Packed(Packed, Kind),
}

impl Weight {
    /// Packs a dense matrix into 4 bits, `double` with its factors in 8; one whose size is no multiple of a group, or that
    /// is packed already, stays as it is.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn pack(&mut self, bits: Bits, double: bool) -> Result<(), ModelError> {
        if let Self::Dense(weight) = self
            && let Some(packed) = tch::no_grad(|| four_bit::pack(weight, bits, double))?
        {
            *self = Self::Packed(packed, weight.kind());
        }
        Ok(())
    }

    /// Outputs and inputs.
    #[must_use]
    pub fn shape(&self) -> (i64, i64) {
        match self {
            Self::Dense(weight) => weight.size2().unwrap_or_default(),
            Self::Packed(packed, _) => packed.shape,
        }
    }

    /// `x W^T + b`, `[..., in]` to `[..., out]`, in the type of `x`.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn forward(&self, x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, ModelError> {
        match self {
            Self::Dense(weight) => Ok(x.f_linear(weight, bias)?),
            Self::Packed(packed, _) => Ok(twinloom_shim::packed_linear(x, packed, bias, None, 1.0)?),
        }
    }

    /// The same with the matrix and the bias taken as constants, plus `scale * (x A^T) B^T` where factors A and B are
    /// given (fp32 whatever `x` is): what a frozen base under an adapter does.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn forward_frozen(
        &self,
        x: &Tensor,
        bias: Option<&Tensor>,
        factors: Option<(&Tensor, &Tensor)>,
        scale: f64,
    ) -> Result<Tensor, ModelError> {
        match self {
            Self::Dense(weight) => Ok(twinloom_shim::frozen_linear(x, weight, bias, factors, scale)?),
            Self::Packed(packed, _) => Ok(twinloom_shim::packed_linear(x, packed, bias, factors, scale)?),
        }
    }

    /// The matrix itself, `[out, in]`: unpacked where it is packed (a new tensor), else sharing storage.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn dense(&self) -> Result<Tensor, ModelError> {
        match self {
            Self::Dense(weight) => Ok(weight.shallow_clone()),
            Self::Packed(packed, kind) => Ok(twinloom_shim::unpack(packed, *kind)?),
        }
    }

    /// The matrix where it is held dense, sharing storage: the form that can be trained or written to a checkpoint.
    #[must_use]
    pub fn as_dense(&self) -> Option<&Tensor> {
        match self {
            Self::Dense(weight) => Some(weight),
            Self::Packed(..) => None,
        }
    }

    /// The type that products with it are made in.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Dense(weight) => weight.kind(),
            Self::Packed(_, kind) => *kind,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn device(&self) -> Device {
        match self {
            Self::Dense(weight) => weight.device(),
            Self::Packed(packed, _) => packed.codes.device(),
        }
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Dense(weight) => weight.numel() * weight.kind().elt_size_in_bytes(),
            Self::Packed(packed, _) => packed.bytes(),
        }
    }
}

impl From<Tensor> for Weight {
    fn from(weight: Tensor) -> Self {
        Self::Dense(weight)
    }
}
