//! A linear layer that an adapter may sit on.

use tch::{Device, Kind, Tensor};

use super::Weight;
use crate::{ModelError, checkpoint::Checkpoint};

/// `x W^T + b`, plus `scale * (x A^T) B^T` where an adapter is attached.
#[derive(Debug)]
pub struct Linear {
    /// Name in the checkpoint without `.weight`: `model.layers.0.self_attn.q_proj`.
    pub name: String,
    /// `[out, in]`.
    pub weight: Weight,
    /// `[out]`.
    pub bias: Option<Tensor>,
    lora: Option<Low>,
}

/// The two low-rank factors, sharing storage with the adapter that they come from.
#[derive(Debug)]
struct Low {
    a: Tensor,
    b: Tensor,
    scale: f64,
}

impl Linear {
    /// A layer of given weights.
    #[must_use]
    pub fn new(name: String, weight: impl Into<Weight>, bias: Option<Tensor>) -> Self {
        Self {
            name,
            weight: weight.into(),
            bias,
            lora: None,
        }
    }

    /// Reads `NAME.weight` and, where wanted, `NAME.bias`.
    ///
    /// # Errors
    /// What [`Checkpoint::tensor`] says.
    pub fn load(
        checkpoint: &Checkpoint,
        name: String,
        (outputs, inputs): (i64, i64),
        bias: bool,
        device: Device,
        kind: Kind,
    ) -> Result<Self, ModelError> {
        let weight = checkpoint.tensor(&format!("{name}.weight"), &[outputs, inputs], device, kind)?;
        let bias = if bias {
            Some(checkpoint.tensor(&format!("{name}.bias"), &[outputs], device, kind)?)
        } else {
            None
        };
        Ok(Self::new(name, weight, bias))
    }

    /// `[..., in]` to `[..., out]`.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let y = self.weight.forward(x, self.bias.as_ref())?;
        let Some(low) = &self.lora else { return Ok(y) };
        // Adapters are fp32 over a base of any type, as PEFT has them.
        let kind = low.a.f_kind()?;
        let z = x
            .f_to_kind(kind)?
            .f_linear(&low.a, None::<&Tensor>)?
            .f_linear(&low.b, None::<&Tensor>)?;
        Ok(y.f_add(&z.f_mul_scalar(low.scale)?.f_to_kind(y.f_kind()?)?)?)
    }

    /// Outputs and inputs.
    #[must_use]
    pub fn shape(&self) -> (i64, i64) {
        self.weight.shape()
    }

    /// Puts low-rank factors on the layer: `a` is `[rank, in]`, `b` is `[out, rank]`.
    ///
    /// # Errors
    /// `model.input` when the shapes do not suit the layer.
    pub fn attach(&mut self, a: &Tensor, b: &Tensor, scale: f64) -> Result<(), ModelError> {
        let (outputs, inputs) = self.shape();
        let (a_size, b_size) = (a.size(), b.size());
        let fits = matches!((a_size.as_slice(), b_size.as_slice()), ([r, i], [o, s]) if r == s && *i == inputs && *o == outputs);
        if !fits {
            return Err(ModelError::input(
                format!(
                    "the adapter's factors {a_size:?} and {b_size:?} do not fit `{}` of {outputs} x {inputs}",
                    self.name
                ),
                "Use the adapter with the base model that it was trained on.",
            ));
        }
        self.lora = Some(Low {
            a: a.shallow_clone(),
            b: b.shallow_clone(),
            scale,
        });
        Ok(())
    }

    /// Takes the adapter off.
    pub fn detach(&mut self) {
        self.lora = None;
    }
}
