//! Normalisation layers.

use tch::{Device, Kind, Tensor};

use super::architecture::NormKind;
use crate::{ModelError, checkpoint::Checkpoint};

/// A norm of a decoder, of any kind.
#[derive(Debug)]
pub struct Norm {
    /// Name in the checkpoint without `.weight`.
    pub name: String,
    /// `[size]`.
    pub weight: Tensor,
    /// `[size]`, of norms with a mean.
    pub bias: Option<Tensor>,
    pub kind: NormKind,
    pub eps: f64,
}

impl Norm {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let size = [self.weight.size1()?];
        Ok(match self.kind {
            NormKind::Rms if self.fused(x) => twinloom_shim::rms_norm(x, &self.weight, self.eps)?,
            NormKind::Rms => x.f_rms_norm(size, Some(&self.weight), self.eps)?,
            NormKind::RmsPlusOne => x
                .f_to_kind(Kind::Float)?
                .f_rms_norm(size, None::<&Tensor>, self.eps)?
                .f_mul(&self.weight.f_to_kind(Kind::Float)?.f_add_scalar(1.0)?)?
                .f_to_kind(x.f_kind()?)?,
            NormKind::Layer => {
                x.f_layer_norm(size, Some(&self.weight), self.bias.as_ref(), self.eps, true)?
            }
        })
    }

    /// The norm of a sum, and the sum.
    pub fn forward_sum(&self, x: &Tensor, delta: &Tensor) -> Result<(Tensor, Tensor), ModelError> {
        if self.kind == NormKind::Rms && self.fused(x) && delta.f_kind()? == x.f_kind()? {
            return Ok(twinloom_shim::add_rms_norm(x, delta, &self.weight, self.eps)?);
        }
        let sum = x.f_add(delta)?;
        Ok((self.forward(&sum)?, sum))
    }

    /// Whether the shim has one loop for it; a GPU has its own in libtorch.
    fn fused(&self, x: &Tensor) -> bool {
        x.device() == Device::Cpu && x.kind() == self.weight.kind()
    }
}

/// Mean and variance normalisation with weight and bias.
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// Weight, bias, and what is added to the variance.
    pub fn parts(&self) -> (&Tensor, &Tensor, f64) {
        (&self.weight, &self.bias, self.eps)
    }

    pub fn load(
        checkpoint: &Checkpoint,
        name: &str,
        size: i64,
        eps: f64,
        to: (Kind, Device),
    ) -> Result<Self, ModelError> {
        Ok(Self {
            weight: checkpoint.tensor(&format!("{name}.weight"), &[size], to.1, to.0)?,
            bias: checkpoint.tensor(&format!("{name}.bias"), &[size], to.1, to.0)?,
            eps,
        })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(x.f_layer_norm(
            [self.weight.size1()?],
            Some(&self.weight),
            Some(&self.bias),
            self.eps,
            true,
        )?)
    }
}
