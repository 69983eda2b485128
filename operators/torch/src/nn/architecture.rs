//! How a decoder is made: what a family's config.json comes down to.

use std::path::Path;

use serde_json::Value;

use super::{family, rope::RopeScaling};
use crate::ModelError;

/// What a decoder is made of. The default is a plain Llama without sizes: set these, and what differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    /// Tokens known.
    pub vocabulary: i64,
    /// Width of the residual stream.
    pub hidden: i64,
    /// Width of the feed-forward net.
    pub intermediate: i64,
    /// Number of layers.
    pub layers: i64,
    /// Query heads.
    pub heads: i64,
    /// Key and value heads; divides `heads`.
    pub kv_heads: i64,
    /// Values of a head.
    pub head_dim: i64,
    /// Positions that it was trained for; no more can be read where [`Self::positions`] are learned.
    pub max_positions: i64,
    /// Added to the variance in norms.
    pub norm_eps: f64,
    /// Base of the rotation's frequencies.
    pub rope_theta: f64,
    /// How the rotation reaches beyond the positions of the first training.
    pub rope_scaling: RopeScaling,
    /// Whether the output layer is the embedding.
    pub tied: bool,
    /// Whether query, key and value layers have a bias; whether the attention's output layer has.
    pub attention_bias: [bool; 2],
    /// Whether the feed-forward net's layers have a bias.
    pub mlp_bias: bool,
    /// How positions are told.
    pub positions: Positions,
    /// The norms' kind.
    pub norm: NormKind,
    /// Between the layers of the feed-forward net.
    pub activation: Activation,
    /// Whether every head's query and key are normalised.
    pub query_key_norm: bool,
    /// Whether what attention and feed-forward net add to the residual stream is normalised first.
    pub post_norms: bool,
    /// Of each layer: how many positions it looks at, its own included; `None` is all. Layers that are not listed look
    /// at all.
    pub windows: Vec<Option<i64>>,
    /// What attention's scores are multiplied with; `None` is `1 / sqrt(head_dim)`.
    pub attention_scale: Option<f64>,
    /// Whether a layer's scores are divided by its number, counted from 1.
    pub scale_by_layer: bool,
    /// Scores are kept within this by tanh.
    pub attention_softcap: Option<f64>,
    /// Logits are kept within this by tanh.
    pub logit_softcap: Option<f64>,
    /// Whether embeddings are multiplied with `sqrt(hidden)`.
    pub scaled_embedding: bool,
    /// The weights' names in checkpoints.
    pub names: &'static Names,
}

/// How positions are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// Queries and keys are rotated by them.
    Rotary,
    /// Each has a learned vector, added to the token's.
    Learned,
}

/// The kind of a norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// Root mean square, times a weight.
    Rms,
    /// Root mean square, times one more than a weight, in fp32 to the end.
    RmsPlusOne,
    /// Mean and variance, with weight and bias.
    Layer,
}

/// Between the layers of a feed-forward net.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x times its sigmoid.
    Silu,
    /// x times the normal distribution's share below it.
    Gelu,
    /// The same by a tanh formula.
    GeluTanh,
}

/// What a family calls its weights. Those of a layer come after `LAYERS.INDEX.`.
#[derive(Debug, PartialEq, Eq)]
pub struct Names {
    /// Everything but the output layer begins with this; checkpoints of the model without an output layer leave it out.
    pub prefix: &'static str,
    /// The embedding.
    pub embedding: &'static str,
    /// Vectors of positions, where they are learned.
    pub positions: &'static str,
    /// The layers.
    pub layers: &'static str,
    /// The last norm.
    pub norm: &'static str,
    /// The output layer.
    pub head: &'static str,
    /// The norm before attention.
    pub attention_norm: &'static str,
    /// Query, key and value.
    pub qkv: QkvNames,
    /// Norms of query and key.
    pub query_key_norms: [&'static str; 2],
    /// Attention's output layer.
    pub output: &'static str,
    /// The norm after attention, where there are post-norms.
    pub attention_post_norm: &'static str,
    /// The norm before the feed-forward net.
    pub feed_norm: &'static str,
    /// The gate, where the net is gated.
    pub gate: Option<&'static str>,
    /// The layer that widens.
    pub up: &'static str,
    /// The layer that narrows.
    pub down: &'static str,
    /// The norm after the feed-forward net, where there are post-norms.
    pub feed_post_norm: &'static str,
    /// Whether matrices of layers are stored as `[in, out]`.
    pub transposed: bool,
}

/// Query, key and value are three layers or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QkvNames {
    /// Three.
    Apart([&'static str; 3]),
    /// One, the outputs laid end to end.
    Fused(&'static str),
}

impl Default for Architecture {
    fn default() -> Self {
        Self {
            vocabulary: 0,
            hidden: 0,
            intermediate: 0,
            layers: 0,
            heads: 0,
            kv_heads: 0,
            head_dim: 0,
            max_positions: 0,
            norm_eps: 1e-6,
            rope_theta: 10_000.0,
            rope_scaling: RopeScaling::None,
            tied: false,
            attention_bias: [false; 2],
            mlp_bias: false,
            positions: Positions::Rotary,
            norm: NormKind::Rms,
            activation: Activation::Silu,
            query_key_norm: false,
            post_norms: false,
            windows: Vec::new(),
            attention_scale: None,
            scale_by_layer: false,
            attention_softcap: None,
            logit_softcap: None,
            scaled_embedding: false,
            names: &family::LLAMA_NAMES,
        }
    }
}

impl Architecture {
    /// Reads a config.json by its `model_type`; `path` is for messages.
    ///
    /// # Errors
    /// `model.config` for a family that there is no code for, or a value that does not suit.
    pub fn from_config(config: &Value, path: &Path) -> Result<Self, ModelError> {
        family::read(config, path)
    }

    /// How many positions a layer looks at; `None` is all.
    #[must_use]
    pub fn window(&self, layer: i64) -> Option<i64> {
        let index = usize::try_from(layer).ok()?;
        self.windows.get(index).copied().flatten()
    }

    /// What a layer's scores are multiplied with.
    #[must_use]
    pub fn scale(&self, layer: i64) -> f64 {
        let scale = self
            .attention_scale
            .unwrap_or_else(|| (self.head_dim as f64).powf(-0.5));
        if self.scale_by_layer {
            scale / (layer + 1) as f64
        } else {
            scale
        }
    }

    /// Whether the numbers can be those of a model; bounds keep a hostile file from asking for absurd memory.
    pub(super) fn check(&self) -> Result<(), String> {
        let bounds = [
            ("vocab_size", self.vocabulary, 4_000_000),
            ("hidden_size", self.hidden, 65_536),
            ("intermediate_size", self.intermediate, 1_048_576),
            ("num_hidden_layers", self.layers, 1_000),
            ("num_attention_heads", self.heads, 1_024),
            ("num_key_value_heads", self.kv_heads, 1_024),
            ("head_dim", self.head_dim, 4_096),
            ("max_position_embeddings", self.max_positions, 100_000_000),
        ];
        if let Some((name, value, most)) = bounds
            .iter()
            .find(|(_, value, most)| !(1..=*most).contains(value))
        {
            return Err(format!("{name} is {value}, it has to be from 1 to {most}"));
        }
        if self.heads % self.kv_heads != 0 {
            return Err(format!(
                "{} heads cannot share {} key and value heads",
                self.heads, self.kv_heads
            ));
        }
        if self.head_dim % 2 != 0 {
            return Err(format!("head_dim is {}, an odd number", self.head_dim));
        }
        let positive = |value: Option<f64>| value.is_none_or(|value| value.is_finite() && value > 0.0);
        if !(positive(Some(self.rope_theta)) && self.norm_eps >= 0.0) {
            return Err("rope_theta and rms_norm_eps have to be positive".to_owned());
        }
        if ![self.attention_scale, self.attention_softcap, self.logit_softcap]
            .into_iter()
            .all(positive)
        {
            return Err("query_pre_attn_scalar and softcapping have to be positive".to_owned());
        }
        if let Some(window) = self.windows.iter().flatten().find(|window| **window < 1) {
            return Err(format!("sliding_window is {window}, it has to be at least 1"));
        }
        self.rope_scaling.check()
    }
}
