//! Normalisation layers.

use tch::{Device, Kind, Tensor};

use crate::{ModelError, checkpoint::Checkpoint};

/// Root mean square normalisation with a weight.
#[derive(Debug)]
pub struct RmsNorm {
    pub weight: Tensor,
    eps: f64,
}

impl RmsNorm {
    pub fn new(weight: Tensor, eps: f64) -> Self {
        Self { weight, eps }
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(x.f_rms_norm([self.weight.size1()?], Some(&self.weight), self.eps)?)
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
