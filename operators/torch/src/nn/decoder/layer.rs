//! One block of a decoder.

use tch::Tensor;
use twinloom_shim::{Activation as Gate, gated};

use super::{
    attention::{Scores, attend},
    pass::Pass,
};
use crate::{
    ModelError,
    nn::{KvCache, Linear, architecture::Activation, norm::Norm},
};

/// Attention and feed-forward net, each behind a norm and beside the residual stream.
#[derive(Debug)]
pub struct Layer {
    /// Its index.
    pub(super) index: usize,
    pub(super) attention_norm: Norm,
    pub(super) qkv: Qkv,
    pub(super) output: Linear,
    pub(super) attention_post_norm: Option<Norm>,
    pub(super) feed_norm: Norm,
    pub(super) gate: Option<Linear>,
    pub(super) up: Linear,
    pub(super) down: Linear,
    pub(super) feed_post_norm: Option<Norm>,
    pub(super) activation: Activation,
    pub(super) heads: Heads,
    pub(super) window: Option<i64>,
    pub(super) scores: Scores,
}

/// Layers that make query, key and value.
#[derive(Debug)]
pub(super) struct Qkv {
    pub linears: QkvLinears,
    /// Norms of every head's query and key.
    pub norms: Option<[Norm; 2]>,
}

/// Three layers, or one with the outputs laid end to end.
#[derive(Debug)]
pub(super) enum QkvLinears {
    Apart(Box<[Linear; 3]>),
    Fused([Linear; 1]),
}

/// How the width of attention is divided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heads {
    pub query: i64,
    pub key: i64,
    pub dim: i64,
}

impl QkvLinears {
    fn as_slice(&self) -> &[Linear] {
        match self {
            Self::Apart(linears) => &**linears,
            Self::Fused(linear) => linear,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Linear] {
        match self {
            Self::Apart(linears) => &mut **linears,
            Self::Fused(linear) => linear,
        }
    }
}

impl Layer {
    /// `[batch, step, hidden]` to the same; the step's keys and values are added to the cache.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn forward(
        &self,
        x: &Tensor,
        pass: &Pass,
        cache: Option<&mut KvCache>,
    ) -> Result<Tensor, ModelError> {
        let attended = self.attention(&self.attention_norm.forward(x)?, pass, cache)?;
        let attended = normed(self.attention_post_norm.as_ref(), attended)?;
        let (y, x) = self.feed_norm.forward_sum(x, &attended)?;
        let fed = self.feed(&y)?;
        Ok(x.f_add(&normed(self.feed_post_norm.as_ref(), fed)?)?)
    }

    fn feed(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let act = |y: Tensor| match self.activation {
            Activation::Silu => y.f_silu(),
            Activation::Gelu => y.f_gelu("none"),
            Activation::GeluTanh => y.f_gelu("tanh"),
        };
        let wide = match &self.gate {
            Some(gate) => {
                let (gate, up) = (gate.forward(x)?, self.up.forward(x)?);
                match self.activation {
                    Activation::Silu => gated(&gate, &up, Gate::Silu)?,
                    Activation::GeluTanh => gated(&gate, &up, Gate::GeluTanh)?,
                    Activation::Gelu => act(gate)?.f_mul(&up)?,
                }
            }
            None => act(self.up.forward(x)?)?,
        };
        self.down.forward(&wide)
    }

    fn attention(&self, x: &Tensor, pass: &Pass, cache: Option<&mut KvCache>) -> Result<Tensor, ModelError> {
        let (batch, length, _) = x.size3()?;
        let [query, key, value] = self.project(x)?;
        let (query, key) = match &self.qkv.norms {
            Some([of_query, of_key]) => (of_query.forward(&query)?, of_key.forward(&key)?),
            None => (query, key),
        };
        let (query, key) = match &pass.rotation {
            Some(rotation) => (rotation.apply(&query)?, rotation.apply(&key)?),
            None => (query, key),
        };
        let heads_first = |x: Tensor| x.f_transpose(1, 2);
        let (query, key, value) = (heads_first(query)?, heads_first(key)?, heads_first(value)?);
        let (key, value) = match cache {
            Some(cache) => cache.extend(self.index, &key, &value)?,
            None => (key, value),
        };
        let attended = attend(&query, &key, &value, pass.view(self.window), self.scores)?;
        self.output.forward(&attended.f_transpose(1, 2)?.f_reshape([
            batch,
            length,
            self.heads.query * self.heads.dim,
        ])?)
    }

    /// Query, key and value, each `[batch, step, its heads, dim]`.
    fn project(&self, x: &Tensor) -> Result<[Tensor; 3], ModelError> {
        let (batch, length, _) = x.size3()?;
        let Heads { query, key, dim } = self.heads;
        let split = |y: &Tensor, heads: i64| y.f_view([batch, length, heads, dim]);
        match &self.qkv.linears {
            QkvLinears::Apart(linears) => {
                let [q, k, v] = &**linears;
                Ok([
                    split(&q.forward(x)?, query)?,
                    split(&k.forward(x)?, key)?,
                    split(&v.forward(x)?, key)?,
                ])
            }
            QkvLinears::Fused([linear]) => {
                let all = split(&linear.forward(x)?, query + 2 * key)?;
                Ok([
                    all.f_narrow(2, 0, query)?,
                    all.f_narrow(2, query, key)?,
                    all.f_narrow(2, query + key, key)?,
                ])
            }
        }
    }

    /// Its norms, in the order of the computation.
    pub(super) fn norms(&self) -> impl Iterator<Item = &Norm> {
        let of_heads = self.qkv.norms.iter().flatten();
        std::iter::once(&self.attention_norm)
            .chain(of_heads)
            .chain(&self.attention_post_norm)
            .chain(std::iter::once(&self.feed_norm))
            .chain(&self.feed_post_norm)
    }

    /// Its linear layers, in the order of the computation.
    pub fn linears(&self) -> impl Iterator<Item = &Linear> {
        let Self {
            qkv,
            output,
            gate,
            up,
            down,
            ..
        } = self;
        qkv.linears
            .as_slice()
            .iter()
            .chain([output])
            .chain(gate)
            .chain([up, down])
    }

    /// Its linear layers, in the order of the computation.
    pub fn linears_mut(&mut self) -> impl Iterator<Item = &mut Linear> {
        let Self {
            qkv,
            output,
            gate,
            up,
            down,
            ..
        } = self;
        qkv.linears
            .as_mut_slice()
            .iter_mut()
            .chain([output])
            .chain(gate)
            .chain([up, down])
    }
}

fn normed(norm: Option<&Norm>, x: Tensor) -> Result<Tensor, ModelError> {
    match norm {
        Some(norm) => norm.forward(&x),
        None => Ok(x),
    }
}
