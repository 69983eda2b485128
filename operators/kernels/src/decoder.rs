//! A decoder of any known family, as its parts.

mod run;

#[cfg(test)]
mod tests;

pub use run::{Row, Step};
pub(crate) use run::{each_row, norm_row};

use crate::{Kept, KernelError, Linear, Packed, Pages};

/// What the parts of a decoder have in common.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Width of the residual stream.
    pub hidden: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Values of a head.
    pub head_dim: usize,
    /// What embeddings are multiplied with.
    pub embed_scale: f32,
    /// A soft cap of attention's scores.
    pub score_cap: Option<f32>,
    /// A soft cap of logits.
    pub logit_cap: Option<f32>,
    /// How positions are told apart.
    pub positions: Positions,
}

/// How positions are told apart.
#[derive(Debug, Clone)]
pub enum Positions {
    /// Queries and keys are rotated.
    Rotary {
        /// `[head_dim / 2]`, radians a position.
        frequencies: Vec<f32>,
        /// What cosine and sine are multiplied with.
        scale: f32,
    },
    /// Each position has an embedding: `[positions, hidden]`.
    Learned(Vec<f32>),
}

/// A normalisation.
#[derive(Debug, Clone)]
pub enum Norm {
    /// Root mean square.
    Rms {
        /// One value a column.
        weight: Vec<f32>,
        /// Added to the mean square.
        eps: f32,
    },
    /// Mean and variance.
    Layer {
        /// One value a column.
        weight: Vec<f32>,
        /// One value a column.
        bias: Vec<f32>,
        /// Added to the variance.
        eps: f32,
    },
}

/// The function inside a feed-forward net.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x times its sigmoid.
    Silu,
    /// GELU by tanh.
    GeluTanh,
    /// GELU by the error function.
    Gelu,
}

/// A feed-forward net.
pub struct Feed {
    /// Gate and up in one, or up alone.
    pub up: Linear,
    /// Whether the first half of `up` is a gate.
    pub gated: bool,
    /// The function.
    pub activation: Activation,
    /// Back to the residual stream.
    pub down: Linear,
}

/// A block.
pub struct Block {
    /// Before attention.
    pub attention_norm: Norm,
    /// Queries, keys and values in one.
    pub qkv: Linear,
    /// Of each query head and each key head.
    pub head_norms: Option<(Norm, Norm)>,
    /// The attention's output.
    pub output: Linear,
    /// After attention, before the residual stream.
    pub attention_out_norm: Option<Norm>,
    /// Before the net.
    pub feed_norm: Norm,
    /// The net.
    pub feed: Feed,
    /// After the net, before the residual stream.
    pub feed_out_norm: Option<Norm>,
    /// Positions that are looked back at, itself included.
    pub window: Option<usize>,
    /// What queries are multiplied with, `1 / sqrt(head_dim)` in most families.
    pub query_scale: f32,
}

/// A decoder with packed weights.
pub struct Decoder {
    /// What its parts have in common.
    pub spec: Spec,
    /// Tokens' rows; `None` where the head's serve.
    pub embedding: Option<Packed>,
    /// The blocks.
    pub blocks: Vec<Block>,
    /// Before the head.
    pub norm: Norm,
    /// To logits.
    pub head: Linear,
}

impl Decoder {
    /// Tokens known.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.head.weight.outputs()
    }

    /// Bytes that a step of one row reads.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let blocks = self.blocks.iter().map(|block| {
            let linears = [&block.qkv, &block.output, &block.feed.up, &block.feed.down];
            linears.iter().map(|linear| linear.weight.bytes()).sum::<usize>()
        });
        blocks.sum::<usize>() + self.head.weight.bytes()
    }

    /// Pages for its keys and values, up to so many bytes.
    #[must_use]
    pub fn pages(&self, kept: Kept, bytes: usize) -> Pages {
        Pages::new(
            kept,
            self.blocks.len(),
            self.spec.kv_heads,
            self.spec.head_dim,
            bytes,
        )
    }

    /// Whether all sizes belong together: to be asked once, after loading.
    ///
    /// # Errors
    /// [`KernelError::Shape`], naming the part.
    pub fn check(&self) -> Result<(), KernelError> {
        let spec = &self.spec;
        let (wide, narrow) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
        let wrong = |what: String| Err(KernelError::Shape(format!("{what} does not fit the decoder")));
        if spec.kv_heads == 0
            || !spec.heads.is_multiple_of(spec.kv_heads)
            || spec.head_dim == 0
            || spec.hidden == 0
        {
            return wrong(format!(
                "a number of heads of {} and {}",
                spec.heads, spec.kv_heads
            ));
        }
        if let Positions::Rotary { frequencies, .. } = &spec.positions
            && frequencies.len() * 2 != spec.head_dim
        {
            return wrong(format!("a rotation of {} angles", frequencies.len()));
        }
        let fits = |linear: &Linear, outputs: usize, inputs: usize| {
            let bias = linear.bias.as_ref().is_none_or(|bias| bias.len() == outputs);
            (linear.weight.outputs(), linear.weight.inputs()) == (outputs, inputs) && bias
        };
        let norm = |norm: &Norm, size: usize| match norm {
            Norm::Rms { weight, .. } => weight.len() == size,
            Norm::Layer { weight, bias, .. } => weight.len() == size && bias.len() == size,
        };
        for (index, block) in self.blocks.iter().enumerate() {
            let inner = block.feed.down.weight.inputs();
            let up = if block.feed.gated { 2 * inner } else { inner };
            let parts = [
                (
                    "queries, keys and values",
                    fits(&block.qkv, wide + 2 * narrow, spec.hidden),
                ),
                ("the attention's output", fits(&block.output, spec.hidden, wide)),
                ("the net's first layer", fits(&block.feed.up, up, spec.hidden)),
                ("the net's last layer", fits(&block.feed.down, spec.hidden, inner)),
                (
                    "a norm",
                    norm(&block.attention_norm, spec.hidden) && norm(&block.feed_norm, spec.hidden),
                ),
                (
                    "a norm of heads",
                    block
                        .head_norms
                        .as_ref()
                        .is_none_or(|(q, k)| norm(q, spec.head_dim) && norm(k, spec.head_dim)),
                ),
                (
                    "a norm behind a part",
                    [&block.attention_out_norm, &block.feed_out_norm]
                        .into_iter()
                        .flatten()
                        .all(|held| norm(held, spec.hidden)),
                ),
            ];
            if let Some((name, _)) = parts.iter().find(|(_, fits)| !fits) {
                return wrong(format!("{name} of block {index}"));
            }
        }
        let embedding = self.embedding.as_ref().unwrap_or(&self.head.weight);
        if !norm(&self.norm, spec.hidden)
            || !fits(&self.head, self.vocabulary(), spec.hidden)
            || embedding.inputs() != spec.hidden
        {
            return wrong("the embedding, the last norm or the head".to_owned());
        }
        Ok(())
    }
}
