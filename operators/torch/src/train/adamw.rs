//! AdamW over flat buffers: one pass a step, clipping without waiting for the device.

use tch::{Kind, Tensor};
use twinloom_shim::{AdamWStep, adamw, set_grad};

use super::eight_bit::States;
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
    /// Whether the two means are held in 8 bits.
    pub eight_bit: bool,
}

impl Default for AdamWConfig {
    /// The paper's constants, a norm of 1, no decay.
    fn default() -> Self {
        Self {
            betas: (0.9, 0.999),
            epsilon: 1e-8,
            weight_decay: 0.0,
            clip_norm: 1.0,
            eight_bit: false,
        }
    }
}

/// The optimizer and its state. Weights and gradients of fp32 become views of flat buffers; of another type, the buffer
/// holds their fp32 masters.
pub struct AdamW {
    config: AdamWConfig,
    step: i64,
    groups: Vec<Group>,
}

/// Weights with the same decay.
struct Group {
    decay: f64,
    value: Tensor,
    grad: Tensor,
    states: States,
    members: Vec<Member>,
}

struct Member {
    weight: Tensor,
    start: i64,
    /// Whether the weight is a view of the buffer.
    view: bool,
}

impl AdamW {
    /// An optimizer of these tensors, which need `requires_grad`.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn new(weights: Vec<Tensor>, config: AdamWConfig) -> Result<Self, ModelError> {
        let decays = |weight: &Tensor| weight.dim() > 1 && config.weight_decay > 0.0;
        let (matrices, vectors): (Vec<_>, Vec<_>) = weights.into_iter().partition(decays);
        let groups = [(matrices, config.weight_decay), (vectors, 0.0)];
        let groups = groups.into_iter().filter(|(weights, _)| !weights.is_empty());
        Ok(Self {
            config,
            step: 0,
            groups: groups
                .map(|(weights, decay)| Group::new(weights, decay, config.eight_bit))
                .collect::<Result<_, _>>()?,
        })
    }

    /// One step along the gradients, each times `scale`; they are zero afterwards. Gives the gradients' norm before
    /// clipping, as a tensor: reading it waits for the device. A norm that is no number leaves the weights as they are.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn step(&mut self, rate: f64, scale: f64) -> Result<Tensor, ModelError> {
        self.step += 1;
        tch::no_grad(|| {
            for group in &mut self.groups {
                group.gather()?;
            }
            let norms: Vec<Tensor> = self
                .groups
                .iter()
                .map(|group| group.grad.f_norm())
                .collect::<Result<_, _>>()?;
            let norm = Tensor::f_stack(&norms, 0)?.f_norm()?.f_mul_scalar(scale)?;
            let skip = norm
                .f_isfinite()?
                .f_logical_not()?
                .f_to_kind(Kind::Float)?
                .f_view([1])?;
            // Gradients are divided by it.
            let mut divisor = norm.f_full_like(1.0 / scale)?.f_view([1])?;
            if self.config.clip_norm > 0.0 {
                let over = norm.f_div_scalar(self.config.clip_norm)?.f_clamp_min(1.0)?;
                divisor = divisor.f_mul(&over)?;
            }
            let count = norm.f_full_like(self.step as f64)?.f_view([1])?;
            for group in &mut self.groups {
                group.update(&self.config, rate, (&count, &divisor, &skip))?;
            }
            Ok(norm)
        })
    }

    /// Drops gradients that were gathered so far.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn forget(&mut self) -> Result<(), ModelError> {
        tch::no_grad(|| {
            for group in &mut self.groups {
                group.gather()?;
                let _ = group.grad.f_zero_()?;
            }
            Ok(())
        })
    }

    /// Steps done, and the state's tensors by name: what has to be kept to go on exactly.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn state(&self) -> Result<(i64, Vec<(String, Tensor)>), ModelError> {
        let mut all = Vec::new();
        for (index, group) in self.groups.iter().enumerate() {
            all.push((format!("{index}.value"), group.value.f_detach()?));
            for (name, tensor) in group.states.tensors() {
                all.push((format!("{index}.{name}"), tensor));
            }
        }
        Ok((self.step, all))
    }

    /// Takes a state back, weights included.
    ///
    /// # Errors
    /// `model.input` when it is another optimizer's; nothing has changed then.
    pub fn restore(&mut self, step: i64, read: impl Fn(&str) -> Option<Tensor>) -> Result<(), ModelError> {
        let (_, own) = self.state()?;
        let suits = |name: &str, tensor: &Tensor| {
            let kept = read(name).filter(|kept| kept.size() == tensor.size() && kept.kind() == tensor.kind());
            kept.ok_or_else(|| {
                ModelError::input(
                    format!("the checkpoint's state `{name}` does not suit"),
                    "Start the training anew.",
                )
            })
        };
        // All of it is looked at before any of it is taken: half a state is none.
        for (name, tensor) in &own {
            drop(suits(name, tensor)?);
        }
        tch::no_grad(|| {
            for (name, tensor) in own {
                let kept = suits(&name, &tensor)?;
                tensor.shallow_clone().f_copy_(&kept)?;
            }
            self.groups.iter().try_for_each(Group::spread)
        })?;
        self.step = step;
        Ok(())
    }
}

impl Group {
    fn new(weights: Vec<Tensor>, decay: f64, eight_bit: bool) -> Result<Self, ModelError> {
        let parts: Vec<Tensor> = weights
            .iter()
            .map(|weight| weight.f_detach()?.f_reshape([-1])?.f_to_kind(Kind::Float))
            .collect::<Result<_, _>>()?;
        let value = Tensor::f_cat(&parts, 0)?;
        drop(parts);
        let grad = value.f_zeros_like()?;
        let mut start = 0;
        let mut members = Vec::with_capacity(weights.len());
        for mut weight in weights {
            let (count, shape) = (weight.numel() as i64, weight.size());
            // A transposed view keeps its own memory.
            let view = weight.kind() == Kind::Float && weight.is_contiguous();
            if view {
                let place = |buffer: &Tensor| buffer.f_narrow(0, start, count)?.f_view(shape.as_slice());
                weight.f_set_data(&place(&value)?)?;
                set_grad(&weight, &place(&grad)?)?;
            }
            members.push(Member { weight, start, view });
            start += count;
        }
        Ok(Self {
            decay,
            states: States::new(&value, eight_bit)?,
            value,
            grad,
            members,
        })
    }

    /// Gradients of weights that are no views go into the buffer.
    fn gather(&mut self) -> Result<(), ModelError> {
        for member in self.members.iter_mut().filter(|member| !member.view) {
            let grad = member.weight.f_grad()?;
            if grad.defined() {
                let place = self.grad.f_narrow(0, member.start, grad.numel() as i64)?;
                place.shallow_clone().f_copy_(&grad.f_reshape([-1])?)?;
                member.weight.zero_grad();
            }
        }
        Ok(())
    }

    /// Masters go into weights that are no views.
    fn spread(&self) -> Result<(), ModelError> {
        for member in self.members.iter().filter(|member| !member.view) {
            let own = self
                .value
                .f_narrow(0, member.start, member.weight.numel() as i64)?;
            let own = own.f_view(member.weight.size().as_slice())?;
            member.weight.f_detach()?.f_copy_(&own)?;
        }
        Ok(())
    }

    fn update(
        &mut self,
        config: &AdamWConfig,
        rate: f64,
        (step, scale, skip): (&Tensor, &Tensor, &Tensor),
    ) -> Result<(), ModelError> {
        let (value, grad, decay) = (&self.value, &self.grad, self.decay);
        self.states.each(|start, count, mean, square| {
            let part = |buffer: &Tensor| buffer.f_narrow(0, start, count);
            adamw(&AdamWStep {
                value: &part(value)?,
                grad: &part(grad)?,
                mean,
                square,
                step,
                rate,
                betas: config.betas,
                decay,
                epsilon: config.epsilon,
                scale,
                skip,
            })
        })?;
        self.spread()?;
        let _ = self.grad.f_zero_()?;
        Ok(())
    }
}
