//! Decoders: pre-norm attention with rotary positions and a gated feed-forward net.

mod build;
mod layer;

use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::{Adapter, KvCache, Linear, llama, norm::RmsNorm, rope::Rope};
use crate::{ModelError, checkpoint::Checkpoint};
use layer::Layer;

/// How a family's models are made: what its config.json comes down to.
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
    /// Positions that it was trained for.
    pub max_positions: i64,
    /// Added to the variance in norms.
    pub norm_eps: f64,
    /// Base of the rotation's frequencies.
    pub rope_theta: f64,
    /// Whether the output layer is the embedding.
    pub tied: bool,
    /// Whether query, key and value layers have a bias; whether the attention's output layer has.
    pub attention_bias: [bool; 2],
    /// Whether the feed-forward net's layers have a bias.
    pub mlp_bias: bool,
}

impl Architecture {
    /// Reads a config.json by its `model_type`; `path` is for messages.
    ///
    /// # Errors
    /// `model.config` for a family that there is no code for, or a value that does not suit.
    pub fn from_config(config: &Value, path: &Path) -> Result<Self, ModelError> {
        let family = config
            .get("model_type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if llama::MODEL_TYPES.contains(&family) {
            return llama::architecture(config, path);
        }
        Err(ModelError::Config {
            path: path.to_owned(),
            why: format!("there is no decoder for model_type `{family}`"),
            hint: format!("Known: {}.", llama::MODEL_TYPES.join(", ")),
        })
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
        if !(self.rope_theta.is_finite() && self.rope_theta > 0.0 && self.norm_eps >= 0.0) {
            return Err("rope_theta and rms_norm_eps have to be positive".to_owned());
        }
        Ok(())
    }
}

/// Which positions a position may look at.
#[derive(Debug, Clone, Copy, Default)]
pub enum Attend<'a> {
    /// Itself and all before it.
    #[default]
    Causal,
    /// Where the mask is true: `[batch or 1, 1, step, all positions]`, Bool. For packed or padded sequences.
    Mask(&'a Tensor),
}

/// How a step is run, beside its tokens.
#[derive(Debug, Default)]
pub struct Step<'a> {
    /// What was read before; the step is added to it.
    pub cache: Option<&'a mut KvCache>,
    /// `[seq]` or `[batch, seq]`, Int64; counted on from the cache where left out.
    pub positions: Option<&'a Tensor>,
    /// Which positions to look at.
    pub attend: Attend<'a>,
}

/// A decoder with its weights.
pub struct Decoder {
    architecture: Architecture,
    device: Device,
    kind: Kind,
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: RmsNorm,
    /// `None` where the embedding serves.
    head: Option<Linear>,
    rope: Rope,
}

impl Decoder {
    /// Reads a checkpoint's weights onto a device, as a type.
    ///
    /// # Errors
    /// `model.config`, or what [`Checkpoint::tensor`] says.
    pub fn load(checkpoint: &Checkpoint, device: Device, kind: Kind) -> Result<Self, ModelError> {
        let architecture =
            Architecture::from_config(checkpoint.config_json(), &checkpoint.dir().join("config.json"))?;
        build::load(architecture, checkpoint, device, kind)
    }

    /// A model of random weights (normal, 0.02, as Llama was started; output layers of blocks scaled down by depth).
    ///
    /// # Errors
    /// `model.config` for an architecture that cannot be, or what libtorch says.
    pub fn random(architecture: Architecture, seed: u64, device: Device) -> Result<Self, ModelError> {
        build::random(architecture, seed, device)
    }

    /// How it is made.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Where it is.
    #[must_use]
    pub fn device(&self) -> Device {
        self.device
    }

    /// The type of its weights.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Tokens `[batch, seq]` (Int64) to hidden states `[batch, seq, hidden]`, normalised, ready for [`Self::logits`].
    ///
    /// # Errors
    /// What libtorch says.
    pub fn hidden(&self, tokens: &Tensor, step: Step<'_>) -> Result<Tensor, ModelError> {
        let (_, length) = tokens.size2()?;
        let Step {
            mut cache,
            positions,
            attend,
        } = step;
        let past = cache.as_ref().map_or(0, |cache| cache.len());
        let counted;
        let positions = match positions {
            Some(positions) => positions,
            None => {
                counted = Tensor::f_arange_start(past, past + length, (Kind::Int64, self.device))?;
                &counted
            }
        };
        let rotation = self.rope.rotation(positions, self.kind)?;
        let chunked;
        // With a past, "causal" has to be counted from the end: libtorch counts from the start.
        let attend = match attend {
            Attend::Causal if past > 0 && length > 1 => {
                chunked = Tensor::f_ones([length, past + length], (Kind::Bool, self.device))?.f_tril(past)?;
                Attend::Mask(&chunked)
            }
            other => other,
        };
        let mut x = Tensor::f_embedding(&self.embedding, tokens, -1, false, false)?;
        for (index, layer) in self.layers.iter().enumerate() {
            let held = cache.as_deref_mut().map(|cache| (cache, index));
            x = layer.forward(&x, &self.architecture, &rotation, attend, held)?;
        }
        if let Some(cache) = cache {
            cache.advance(length);
        }
        self.norm.forward(&x)
    }

    /// Hidden states `[..., hidden]` to logits `[..., vocabulary]`, in the model's type.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor, ModelError> {
        match &self.head {
            Some(head) => head.forward(hidden),
            None => Ok(hidden.f_linear(&self.embedding, None::<&Tensor>)?),
        }
    }

    /// Logits of every position: [`Self::hidden`], then [`Self::logits`].
    ///
    /// # Errors
    /// What libtorch says.
    pub fn forward(&self, tokens: &Tensor, step: Step<'_>) -> Result<Tensor, ModelError> {
        self.logits(&self.hidden(tokens, step)?)
    }

    /// All weights by the names that they have in a checkpoint. The tensors share storage with the model's: setting
    /// `requires_grad` on them trains the model itself.
    #[must_use]
    pub fn named_weights(&self) -> Vec<(String, Tensor)> {
        build::named_weights(self)
    }

    /// The layers that an adapter may sit on: those inside the blocks.
    pub fn linears(&self) -> impl Iterator<Item = &Linear> {
        self.layers.iter().flat_map(Layer::linears)
    }

    /// Puts an adapter on; one that was on before comes off.
    ///
    /// # Errors
    /// `model.input` when it is another model's: a layer that is not here, or of another shape.
    pub fn attach(&mut self, adapter: &Adapter) -> Result<(), ModelError> {
        self.detach();
        let mut unused = adapter.names();
        for linear in self.layers.iter_mut().flat_map(Layer::linears_mut) {
            if let Some((a, b)) = adapter.factors(&linear.name) {
                linear.attach(a, b, adapter.config().scale())?;
                unused.remove(linear.name.as_str());
            }
        }
        match unused.first() {
            None => Ok(()),
            Some(name) => {
                let why = format!("the adapter has factors for `{name}`, which the model does not have");
                self.detach();
                Err(ModelError::input(
                    why,
                    "Use the adapter with the base model that it was trained on.",
                ))
            }
        }
    }

    /// Takes the adapter off.
    pub fn detach(&mut self) {
        self.layers
            .iter_mut()
            .flat_map(Layer::linears_mut)
            .for_each(Linear::detach);
    }
}
