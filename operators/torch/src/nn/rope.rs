//! Rotary position embedding, as Hugging Face checkpoints expect it (halves, not pairs).

use tch::{Device, Kind, Tensor};

use crate::ModelError;

/// The frequencies of a model's rotation.
#[derive(Debug)]
pub struct Rope {
    /// `[head_dim / 2]`, fp32.
    frequencies: Tensor,
}

/// Cosine and sine of a step's positions: `[positions, head_dim / 2]`, or with a batch before it and a head after that.
pub struct Rotation {
    cos: Tensor,
    sin: Tensor,
}

impl Rope {
    pub fn new(head_dim: i64, theta: f64, device: Device) -> Result<Self, ModelError> {
        let exponents = Tensor::f_arange_start_step(0, head_dim, 2, (Kind::Float, device))?
            .f_div_scalar(head_dim as f64)?;
        Ok(Self {
            frequencies: Tensor::f_from_slice(&[theta as f32])?
                .f_to_device(device)?
                .f_pow(&exponents)?
                .f_reciprocal()?,
        })
    }

    /// `positions` is `[seq]` or `[batch, seq]`, Int64. Angles are fp32 whatever the model's type.
    pub fn rotation(&self, positions: &Tensor, kind: Kind) -> Result<Rotation, ModelError> {
        let angles = positions
            .f_to_kind(Kind::Float)?
            .f_unsqueeze(-1)?
            .f_mul(&self.frequencies)?;
        // One rotation for all heads: [batch, 1, seq, dim / 2].
        let angles = if angles.dim() == 3 {
            angles.f_unsqueeze(1)?
        } else {
            angles
        };
        Ok(Rotation {
            cos: angles.f_cos()?.f_to_kind(kind)?,
            sin: angles.f_sin()?.f_to_kind(kind)?,
        })
    }
}

impl Rotation {
    /// Turns `[batch, heads, seq, head_dim]`.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let halves = x.f_chunk(2, -1)?;
        let [first, second] = halves.as_slice() else {
            return Err(ModelError::input(
                "a head of one value cannot be rotated",
                "Check head_dim in config.json.",
            ));
        };
        let low = first.f_mul(&self.cos)?.f_sub(&second.f_mul(&self.sin)?)?;
        let high = second.f_mul(&self.cos)?.f_add(&first.f_mul(&self.sin)?)?;
        Ok(Tensor::f_cat(&[low, high], -1)?)
    }
}
