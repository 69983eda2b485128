//! One block of an encoder.

use tch::Tensor;

use super::packed::{Packed, Run};
use crate::{
    ModelError,
    nn::{Linear, norm::LayerNorm},
};

/// Attention and feed-forward net, each before a norm and beside its input.
pub struct Layer {
    /// Query, key and value in one matrix: one large product instead of three.
    pub qkv: Linear,
    pub output: Linear,
    pub attention_norm: LayerNorm,
    pub up: Linear,
    pub down: Linear,
    pub feed_norm: LayerNorm,
    /// libtorch's name of the kind of GELU.
    pub gelu: &'static str,
}

impl Layer {
    /// Hidden states `[tokens, hidden]` to the same.
    pub fn forward(&self, x: Tensor, batch: &Packed, heads: i64) -> Result<Tensor, ModelError> {
        let mut attended = self.output.forward(&self.attention(&x, batch, heads)?)?;
        let x = self.attention_norm.forward(&attended.f_add_(&x)?)?;
        let mut up = self.up.forward(&x)?;
        let mut down = self.down.forward(&up.f_gelu_(self.gelu)?)?;
        self.feed_norm.forward(&down.f_add_(&x)?)
    }

    fn attention(&self, x: &Tensor, batch: &Packed, heads: i64) -> Result<Tensor, ModelError> {
        let hidden = x.size2()?.1;
        let qkv = self.qkv.forward(x)?;
        let mut parts = Vec::with_capacity(batch.runs.len());
        for &Run { start, count, length } in &batch.runs {
            let run =
                qkv.f_narrow(0, start, count * length)?
                    .f_view([count, length, 3, heads, hidden / heads])?;
            let part = |index| run.f_select(2, index)?.f_transpose(1, 2);
            let (query, key, value) = (part(0)?, part(1)?, part(2)?);
            let attended = Tensor::f_scaled_dot_product_attention(
                &query,
                &key,
                &value,
                None::<&Tensor>,
                0.0,
                false,
                None,
                false,
            )?;
            parts.push(attended.f_transpose(1, 2)?.f_reshape([count * length, hidden])?);
        }
        Ok(Tensor::f_cat(&parts, 0)?)
    }
}
