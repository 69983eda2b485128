//! AdamW on a list of tensors, with clipping by the norm of all gradients.

use tch::{Kind, Tensor};

use crate::ModelError;

/// Constants of AdamW.
#[derive(Debug, Clone, Copy)]
pub struct AdamWConfig {
    /// Decay of the mean of gradients and of their squares.
    pub betas: (f64, f64),
    /// Added to the root of the squares' mean.
    pub epsilon: f64,
    /// Weight decay of matrices, times the learning rate; vectors (norms, biases) do not decay.
    pub weight_decay: f64,
    /// Gradients are scaled down to this norm; 0 leaves them.
    pub clip_norm: f64,
}

/// The optimizer and its state.
pub struct AdamW {
    config: AdamWConfig,
    step: i32,
    weights: Vec<Weight>,
}

struct Weight {
    value: Tensor,
    mean: Tensor,
    square: Tensor,
    decay: bool,
}

impl AdamW {
    /// An optimizer of these tensors, which need `requires_grad`.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn new(weights: Vec<Tensor>, config: AdamWConfig) -> Result<Self, ModelError> {
        let state = |value: Tensor| {
            let zeros = || value.f_detach()?.f_zeros_like();
            let (mean, square) = (zeros()?, zeros()?);
            Ok(Weight {
                decay: value.dim() > 1,
                mean,
                square,
                value,
            })
        };
        Ok(Self {
            config,
            step: 0,
            weights: weights
                .into_iter()
                .map(state)
                .collect::<Result<_, ModelError>>()?,
        })
    }

    /// One step along the gradients, each times `scale`; they are zero afterwards. Gives the gradients' norm before
    /// clipping.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn step(&mut self, rate: f64, scale: f64) -> Result<f64, ModelError> {
        self.step += 1;
        let (config, step) = (self.config, self.step);
        tch::no_grad(|| {
            let norm = self.norm()? * scale;
            let clip = if config.clip_norm > 0.0 && norm > config.clip_norm {
                config.clip_norm / norm
            } else {
                1.0
            };
            // Without a number nothing is learnt: the caller stops on the norm.
            if norm.is_finite() {
                self.weights
                    .iter_mut()
                    .try_for_each(|weight| weight.update(&config, step, rate, scale * clip))?;
            }
            for weight in &mut self.weights {
                weight.value.zero_grad();
            }
            Ok(norm)
        })
    }

    fn norm(&self) -> Result<f64, ModelError> {
        let mut squares = Vec::new();
        for weight in &self.weights {
            let grad = weight.value.f_grad()?;
            if grad.defined() {
                squares.push(grad.f_square()?.f_sum(Kind::Float)?);
            }
        }
        if squares.is_empty() {
            return Ok(0.0);
        }
        Ok(Tensor::f_stack(&squares, 0)?
            .f_sum(Kind::Double)?
            .f_sqrt()?
            .f_double_value(&[])?)
    }
}

impl Weight {
    fn update(&mut self, config: &AdamWConfig, step: i32, rate: f64, scale: f64) -> Result<(), ModelError> {
        let grad = self.value.f_grad()?;
        if !grad.defined() {
            return Ok(());
        }
        let grad = if (scale - 1.0).abs() < f64::EPSILON {
            grad
        } else {
            grad.f_mul_scalar(scale)?
        };
        let (first, second) = config.betas;
        let _ = self
            .mean
            .f_mul_scalar_(first)?
            .f_add_(&grad.f_mul_scalar(1.0 - first)?)?;
        let _ = self
            .square
            .f_mul_scalar_(second)?
            .f_add_(&grad.f_square()?.f_mul_scalar_(1.0 - second)?)?;
        if self.decay && config.weight_decay > 0.0 {
            let _ = self.value.f_mul_scalar_(1.0 - rate * config.weight_decay)?;
        }
        let (first_bias, second_bias) = (1.0 - first.powi(step), 1.0 - second.powi(step));
        let root = self
            .square
            .f_sqrt()?
            .f_mul_scalar_(1.0 / second_bias.sqrt())?
            .f_add_scalar_(config.epsilon)?;
        let change = self.mean.f_div(&root)?.f_mul_scalar_(rate / first_bias)?;
        let _ = self.value.f_sub_(&change)?;
        Ok(())
    }
}
