//! One block of a decoder.

use tch::Tensor;

use super::{Architecture, Attend};
use crate::{
    ModelError,
    nn::{KvCache, Linear, norm::RmsNorm, rope::Rotation},
};

/// Attention and feed-forward net, each behind a norm and beside the residual stream.
pub struct Layer {
    pub name: String,
    pub attention_norm: RmsNorm,
    pub query: Linear,
    pub key: Linear,
    pub value: Linear,
    pub output: Linear,
    pub feed_norm: RmsNorm,
    pub gate: Linear,
    pub up: Linear,
    pub down: Linear,
}

impl Layer {
    pub fn forward(
        &self,
        x: &Tensor,
        architecture: &Architecture,
        rotation: &Rotation,
        attend: Attend<'_>,
        cache: Option<(&mut KvCache, usize)>,
    ) -> Result<Tensor, ModelError> {
        let attended = self.attention(
            &self.attention_norm.forward(x)?,
            architecture,
            rotation,
            attend,
            cache,
        )?;
        let x = x.f_add(&attended)?;
        let normed = self.feed_norm.forward(&x)?;
        let gated = self
            .gate
            .forward(&normed)?
            .f_silu()?
            .f_mul(&self.up.forward(&normed)?)?;
        Ok(x.f_add(&self.down.forward(&gated)?)?)
    }

    fn attention(
        &self,
        x: &Tensor,
        architecture: &Architecture,
        rotation: &Rotation,
        attend: Attend<'_>,
        cache: Option<(&mut KvCache, usize)>,
    ) -> Result<Tensor, ModelError> {
        let (batch, length, _) = x.size3()?;
        let (heads, kv_heads, dim) = (architecture.heads, architecture.kv_heads, architecture.head_dim);
        let split = |y: Tensor, heads: i64| y.f_view([batch, length, heads, dim])?.f_transpose(1, 2);
        let query = rotation.apply(&split(self.query.forward(x)?, heads)?)?;
        let key = rotation.apply(&split(self.key.forward(x)?, kv_heads)?)?;
        let value = split(self.value.forward(x)?, kv_heads)?;
        let (key, value) = match cache {
            Some((cache, layer)) => cache.extend(layer, &key, &value)?,
            None => (key, value),
        };
        let attended = if length == 1 && heads != kv_heads {
            grouped(&query, &key, &value, attend)?
        } else {
            let (key, value) = (shared(&key, heads / kv_heads)?, shared(&value, heads / kv_heads)?);
            attention(&query, &key, &value, attend, length > 1)?
        };
        self.output.forward(
            &attended
                .f_transpose(1, 2)?
                .f_reshape([batch, length, heads * dim])?,
        )
    }

    pub fn linears(&self) -> impl Iterator<Item = &Linear> {
        [
            &self.query,
            &self.key,
            &self.value,
            &self.output,
            &self.gate,
            &self.up,
            &self.down,
        ]
        .into_iter()
    }

    pub fn linears_mut(&mut self) -> impl Iterator<Item = &mut Linear> {
        let Self {
            query,
            key,
            value,
            output,
            gate,
            up,
            down,
            ..
        } = self;
        [query, key, value, output, gate, up, down].into_iter()
    }
}

fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    attend: Attend<'_>,
    causal: bool,
) -> Result<Tensor, ModelError> {
    let (mask, causal) = match attend {
        Attend::Causal => (None, causal),
        Attend::Mask(mask) => (Some(mask), false),
    };
    Ok(Tensor::f_scaled_dot_product_attention(
        q, k, v, mask, 0.0, causal, None, false,
    )?)
}

/// Each key and value head once for every query head that shares it.
fn shared(x: &Tensor, times: i64) -> Result<Tensor, ModelError> {
    if times == 1 {
        return Ok(x.shallow_clone());
    }
    let (batch, heads, length, dim) = x.size4()?;
    let wide = x
        .f_unsqueeze(2)?
        .f_expand([batch, heads, times, length, dim], false)?;
    Ok(wide.f_reshape([batch, heads * times, length, dim])?)
}

/// A step of one token: the query heads of a group become the rows of one query, so that no key has to be copied.
fn grouped(q: &Tensor, k: &Tensor, v: &Tensor, attend: Attend<'_>) -> Result<Tensor, ModelError> {
    let (batch, heads, _, dim) = q.size4()?;
    let kv_heads = k.size4()?.1;
    let rows = q.f_reshape([batch, kv_heads, heads / kv_heads, dim])?;
    Ok(attention(&rows, k, v, attend, false)?.f_reshape([batch, heads, 1, dim])?)
}
