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
    low: Option<Low>,
}

/// The parts of an adapter for one layer, sharing storage with the adapter that they come from.
#[derive(Debug)]
pub struct Low {
    /// `[rank, in]`.
    pub a: Tensor,
    /// `[out, rank]`.
    pub b: Tensor,
    /// What the product of the two is multiplied with.
    pub scale: f64,
    /// DoRA: the norm of every row of the whole matrix, `[out]`.
    pub magnitude: Option<Tensor>,
}

impl Linear {
    /// A layer of given weights.
    #[must_use]
    pub fn new(name: String, weight: impl Into<Weight>, bias: Option<Tensor>) -> Self {
        Self {
            name,
            weight: weight.into(),
            bias,
            low: None,
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

    /// `[..., in]` to `[..., out]`. Under an adapter the matrix and the bias get no gradient.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let Some(low) = &self.low else {
            return self.weight.forward(x, self.bias.as_ref());
        };
        let factors = Some((&low.a, &low.b));
        let Some(magnitude) = &low.magnitude else {
            return self
                .weight
                .forward_frozen(x, self.bias.as_ref(), factors, low.scale);
        };
        // DoRA: rows get the wanted norm; the norm that they have is taken as a constant, as its paper has it.
        let y = self.weight.forward_frozen(x, None, factors, low.scale)?;
        let share = magnitude
            .f_div(&tch::no_grad(|| self.row_norms(low))?)?
            .f_to_kind(y.f_kind()?)?;
        let y = y.f_mul(&share)?;
        match &self.bias {
            Some(bias) => Ok(y.f_add(bias)?),
            None => Ok(y),
        }
    }

    /// Outputs and inputs.
    #[must_use]
    pub fn shape(&self) -> (i64, i64) {
        self.weight.shape()
    }

    /// Puts an adapter's part on the layer.
    ///
    /// # Errors
    /// `model.input` when the shapes do not suit the layer.
    pub fn attach(&mut self, low: Low) -> Result<(), ModelError> {
        let (outputs, inputs) = self.shape();
        let (a, b) = (low.a.size(), low.b.size());
        let factors = matches!((a.as_slice(), b.as_slice()), ([r, i], [o, s]) if r == s && *i == inputs && *o == outputs);
        let magnitude = low.magnitude.as_ref().is_none_or(|m| m.size() == [outputs]);
        if !(factors && magnitude) {
            return Err(ModelError::input(
                format!(
                    "the adapter's factors {a:?} and {b:?} do not fit `{}` of {outputs} x {inputs}",
                    self.name
                ),
                "Use the adapter with the base model that it was trained on.",
            ));
        }
        self.low = Some(low);
        Ok(())
    }

    /// Takes the adapter off.
    pub fn detach(&mut self) {
        self.low = None;
    }

    /// The norm of every row of `W + scale * B A`, fp32 `[out]`, without making that matrix: the square is
    /// `|W|^2 + 2 scale <W A^T, B> + scale^2 <B A A^T, B>`, row by row.
    fn row_norms(&self, low: &Low) -> Result<Tensor, ModelError> {
        let weight = self.weight.dense()?.f_to_kind(Kind::Float)?;
        let (a, b) = (low.a.f_to_kind(Kind::Float)?, low.b.f_to_kind(Kind::Float)?);
        let rows = |x: Tensor| x.f_sum_dim_intlist([1_i64].as_slice(), false, None);
        let own = rows(weight.f_square()?)?;
        let cross = rows(weight.f_matmul(&a.f_transpose(0, 1)?)?.f_mul(&b)?)?;
        let factors = rows(b.f_matmul(&a.f_matmul(&a.f_transpose(0, 1)?)?)?.f_mul(&b)?)?;
        let square = own
            .f_add(&cross.f_mul_scalar(2.0 * low.scale)?)?
            .f_add(&factors.f_mul_scalar(low.scale * low.scale)?)?;
        Ok(square.f_clamp_min(1e-12)?.f_sqrt()?)
    }
}
