//! Decoders: layers of attention and feed-forward nets, made as an [`Architecture`] says.
//!
//! A step is [`Decoder::begin`], every layer, [`Decoder::finish`]; [`Decoder::hidden`] does the three.

mod attention;
mod build;
mod layer;
mod pass;

use tch::{Device, Kind, Tensor};

pub use layer::Layer;
pub use pass::Pass;

use super::{Adapter, Architecture, KvCache, Linear, norm::Norm, rope::Rope, weight::Bits};
use crate::{ModelError, checkpoint::Checkpoint};
use pass::Span;

/// Which positions a position may look at.
#[derive(Debug, Clone, Copy, Default)]
pub enum Attend<'a> {
    /// Itself and all before it.
    #[default]
    Causal,
    /// Where the mask is true: `[batch or 1, 1, step, all positions]`, Bool. For packed or padded sequences. A layer
    /// with a window looks through both: a token's place counts, not its position.
    Mask(&'a Tensor),
    /// Sequences of these lengths lie end to end in one row; each looks at itself alone. For training.
    Segments(&'a [i64]),
    /// The slots up to its own. For sequences of different lengths, each kept from its slot 0 on.
    Slots {
        /// The slot of each token of the step: `[batch, step]`, Int64.
        slots: &'a Tensor,
        /// Slots of the keys that attention is given.
        total: i64,
    },
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
    /// What embeddings are multiplied with.
    embedding_scale: Option<Tensor>,
    /// Learned vectors of positions, `[max_positions, hidden]`.
    positions: Option<Tensor>,
    layers: Vec<Layer>,
    norm: Norm,
    /// `None` where the embedding serves.
    head: Option<Linear>,
    rope: Option<Rope>,
}

impl Decoder {
    /// Reads a checkpoint's weights onto a device, as a type.
    ///
    /// # Errors
    /// `model.config`, or what [`Checkpoint::tensor`] says.
    pub fn load(checkpoint: &Checkpoint, device: Device, kind: Kind) -> Result<Self, ModelError> {
        let architecture =
            Architecture::from_config(checkpoint.config_json(), &checkpoint.dir().join("config.json"))?;
        build::load(architecture, checkpoint, device, kind, None)
    }

    /// The same with the matrices of the layers packed as they are read, as [`Weight::pack`](super::Weight::pack) packs
    /// them: beside the packed ones there is one dense matrix at a time.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_packed(
        checkpoint: &Checkpoint,
        device: Device,
        kind: Kind,
        bits: Bits,
        double: bool,
    ) -> Result<Self, ModelError> {
        let architecture =
            Architecture::from_config(checkpoint.config_json(), &checkpoint.dir().join("config.json"))?;
        let packing = build::Packing { bits, double };
        build::load(architecture, checkpoint, device, kind, Some(packing))
    }

    /// A model of random weights in fp32 (normal, 0.02, as Llama was started; output layers of blocks scaled down by
    /// depth).
    ///
    /// # Errors
    /// `model.config` for an architecture that cannot be, or what libtorch says.
    pub fn random(architecture: Architecture, seed: u64, device: Device) -> Result<Self, ModelError> {
        build::random(architecture, seed, device, Kind::Float)
    }

    /// The same, rounded to another type.
    ///
    /// # Errors
    /// As [`Self::random`].
    pub fn random_in(
        architecture: Architecture,
        seed: u64,
        device: Device,
        kind: Kind,
    ) -> Result<Self, ModelError> {
        build::random(architecture, seed, device, kind)
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
        let Step {
            mut cache,
            positions,
            attend,
        } = step;
        let past = cache.as_ref().map_or(0, |cache| cache.len());
        let (mut x, pass) = self.begin(tokens, positions, attend, past)?;
        for layer in &self.layers {
            x = layer.forward(&x, &pass, cache.as_deref_mut())?;
        }
        if let Some(cache) = cache {
            cache.advance(tokens.size2()?.1);
        }
        self.finish(&x)
    }

    /// The start of a step: embeddings of tokens `[batch, seq]`, and what all layers share. `past` is the number of
    /// positions read before.
    ///
    /// # Errors
    /// `model.input` for more positions than the model has, or what libtorch says.
    pub fn begin(
        &self,
        tokens: &Tensor,
        positions: Option<&Tensor>,
        attend: Attend<'_>,
        past: i64,
    ) -> Result<(Tensor, Pass), ModelError> {
        let (_, length) = tokens.size2()?;
        let counted;
        let positions = match positions {
            Some(positions) => positions,
            None => {
                counted = Tensor::f_arange_start(past, past + length, (Kind::Int64, self.device))?;
                &counted
            }
        };
        let mut x = Tensor::f_embedding(&self.embedding, tokens, -1, false, false)?;
        if let Some(scale) = &self.embedding_scale {
            x = x.f_mul(scale)?;
        }
        if let Some(learned) = &self.positions {
            let most = self.architecture.max_positions;
            if positions.f_max()?.f_int64_value(&[])? >= most {
                return Err(ModelError::input(
                    format!("the model has {most} positions, the text needs more"),
                    "Give a shorter text, or use a model with rotary positions.",
                ));
            }
            x = x.f_add(&Tensor::f_embedding(learned, positions, -1, false, false)?)?;
        }
        let rotation = match &self.rope {
            Some(rope) => Some(rope.rotation(positions, self.kind)?),
            None => None,
        };
        let span = Span { past, length };
        let pass = Pass::new(&self.architecture, rotation, attend, span, self.device)?;
        Ok((x, pass))
    }

    /// The layers, in order: a step runs them one after the other between [`Self::begin`] and [`Self::finish`]. Without
    /// a cache a layer's output depends on its input and the pass only, so it may be computed again.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The end of a step: the last norm.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn finish(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        self.norm.forward(x)
    }

    /// Hidden states `[..., hidden]` to logits `[..., vocabulary]`, in the model's type.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor, ModelError> {
        let logits = match &self.head {
            Some(head) => head.forward(hidden)?,
            None => hidden.f_linear(&self.embedding, None::<&Tensor>)?,
        };
        match self.architecture.logit_softcap {
            Some(cap) => Ok(logits.f_div_scalar(cap)?.f_tanh()?.f_mul_scalar(cap)?),
            None => Ok(logits),
        }
    }

    /// The output layer's matrix, `[vocabulary, hidden]`.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn output_matrix(&self) -> Result<Tensor, ModelError> {
        match &self.head {
            Some(head) => head.weight.dense(),
            None => Ok(self.embedding.shallow_clone()),
        }
    }

    /// Logits of every position: [`Self::hidden`], then [`Self::logits`].
    ///
    /// # Errors
    /// What libtorch says.
    pub fn forward(&self, tokens: &Tensor, step: Step<'_>) -> Result<Tensor, ModelError> {
        self.logits(&self.hidden(tokens, step)?)
    }

    /// All weights by the names that they have in a checkpoint, matrices as `[out, in]`. The tensors share storage with
    /// the model's: setting `requires_grad` on them trains the model itself.
    #[must_use]
    pub fn named_weights(&self) -> Vec<(String, Tensor)> {
        build::named_weights(self)
    }

    /// All weights as a checkpoint of the family holds them: GPT-2's matrices are `[in, out]` there.
    #[must_use]
    pub fn checkpoint_weights(&self) -> Vec<(String, Tensor)> {
        build::checkpoint_weights(self)
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
            if let Some(low) = adapter.low(&linear.name) {
                linear.attach(low)?;
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
