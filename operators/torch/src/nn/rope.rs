//! Rotary position embedding, as Hugging Face checkpoints expect it (halves, not pairs).

mod scaling;

use tch::{Device, Kind, Tensor};

pub use scaling::RopeScaling;

use super::Architecture;
use crate::ModelError;

/// The frequencies of a model's rotation.
#[derive(Debug)]
pub struct Rope {
    /// `[head_dim / 2]`, fp32.
    frequencies: Tensor,
    /// Cosine and sine are multiplied with it.
    factor: f64,
    theta: f64,
    head_dim: i64,
    max_positions: i64,
    /// Of the dynamic scaling: its factor.
    dynamic: Option<f64>,
}

/// Cosine and sine of a step's positions, `[positions, head_dim / 2]` in fp32; those of all sequences where each has its
/// own.
#[derive(Debug)]
pub struct Rotation {
    cos: Tensor,
    sin: Tensor,
}

impl Rope {
    pub fn new(architecture: &Architecture, device: Device) -> Result<Self, ModelError> {
        let (theta, head_dim) = (architecture.rope_theta, architecture.head_dim);
        let scaling = &architecture.rope_scaling;
        let scaled = frequencies(architecture)?;
        Ok(Self {
            frequencies: Tensor::f_from_slice(&scaled)?.f_to_device(device)?,
            factor: scaling.attention_factor(),
            theta,
            head_dim,
            max_positions: architecture.max_positions,
            dynamic: match scaling {
                RopeScaling::Dynamic { factor } => Some(*factor),
                _ => None,
            },
        })
    }

    /// `positions` is `[seq]` or `[batch, seq]`, Int64. Angles are fp32 whatever the model's type.
    pub fn rotation(&self, positions: &Tensor, kind: Kind) -> Result<Rotation, ModelError> {
        let grown = self.grown(positions)?;
        let angles = positions
            .f_to_kind(Kind::Float)?
            .f_unsqueeze(-1)?
            .f_mul(grown.as_ref().unwrap_or(&self.frequencies))?;
        let angles = angles.f_view([-1, self.head_dim / 2])?;
        // Rounded to the model's type, as the reference has it.
        let scaled = |x: Tensor| match self.factor {
            1.0 => x.f_to_kind(kind)?.f_to_kind(Kind::Float),
            factor => x.f_mul_scalar(factor)?.f_to_kind(kind)?.f_to_kind(Kind::Float),
        };
        Ok(Rotation {
            cos: scaled(angles.f_cos()?)?,
            sin: scaled(angles.f_sin()?)?,
        })
    }

    /// With the dynamic scaling, and beyond the positions of the training, the base grows with the last position.
    fn grown(&self, positions: &Tensor) -> Result<Option<Tensor>, ModelError> {
        let Some(factor) = self.dynamic else {
            return Ok(None);
        };
        let seen = positions.f_max()?.f_int64_value(&[])? + 1;
        if seen <= self.max_positions {
            return Ok(None);
        }
        let (dim, seen) = (self.head_dim as f64, seen as f64);
        let stretched = factor * seen / self.max_positions as f64 - (factor - 1.0);
        let theta = self.theta * stretched.powf(dim / (dim - 2.0));
        Ok(Some(
            plain(self.head_dim, theta)?.f_to_device(positions.device())?,
        ))
    }
}

impl Rotation {
    /// Turns `[batch, seq, heads, head_dim]`.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(twinloom_shim::rope(x, &self.cos, &self.sin)?)
    }
}

/// The scaled frequencies of a model's rotation, `[head_dim / 2]`.
///
/// # Errors
/// What libtorch says.
pub fn frequencies(architecture: &Architecture) -> Result<Vec<f32>, ModelError> {
    let (theta, head_dim) = (architecture.rope_theta, architecture.head_dim);
    let values = Vec::<f32>::try_from(&plain(head_dim, theta)?)?;
    Ok(architecture.rope_scaling.apply(&values, head_dim, theta))
}

/// `theta ^ (-2i / head_dim)`, by the same fp32 operations that the reference does.
fn plain(head_dim: i64, theta: f64) -> Result<Tensor, ModelError> {
    let exponents = Tensor::f_arange_start_step(0, head_dim, 2, (Kind::Float, Device::Cpu))?
        .f_div_scalar(head_dim as f64)?;
    Ok(Tensor::f_pow_scalar(theta, &exponents)?.f_reciprocal()?)
}
