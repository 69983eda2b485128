//! BERT-type encoders, over sequences laid end to end: no padding is ever computed.

mod config;
mod head;
mod kernels;
mod layer;
mod load;
mod packed;

use tch::{Device, Kind, Tensor};

pub use head::Head;
pub use packed::Packed;

use super::norm::LayerNorm;
use crate::{ModelError, checkpoint::Checkpoint};
use config::BertConfig;
use kernels::Kernels;
use layer::Layer;

/// An encoder with its weights.
pub struct Bert {
    config: BertConfig,
    device: Device,
    words: Tensor,
    positions: Tensor,
    /// A vector for the first and one for the second text of a pair; none where the model does not tell them apart.
    kinds_of_text: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
    /// Takes the layers' place on the CPU.
    kernels: Option<Kernels>,
}

impl Bert {
    /// Reads a checkpoint's weights onto a device, as a type.
    ///
    /// # Errors
    /// `model.config`, or what [`Checkpoint::tensor`] says.
    pub fn load(checkpoint: &Checkpoint, device: Device, kind: Kind) -> Result<Self, ModelError> {
        load::load(checkpoint, device, kind)
    }

    /// Whether there is code for encoders of that `model_type`.
    #[must_use]
    pub fn is_encoder(model_type: &str) -> bool {
        config::is_known(model_type)
    }

    /// Moves the layers of a model on the CPU to the kernels, which hold weights in this format and compute in fp32.
    ///
    /// # Errors
    /// What libtorch or the kernels say.
    pub fn pack(&mut self, format: twinloom_kernels::Format) -> Result<(), ModelError> {
        let heads = self.config.num_attention_heads;
        self.kernels = Some(Kernels::new(
            &self.layers,
            self.config.hidden_size,
            heads,
            format,
        )?);
        self.layers.clear();
        Ok(())
    }

    /// Values of a hidden state.
    #[must_use]
    pub fn hidden_size(&self) -> i64 {
        self.config.hidden_size
    }

    /// Longest sequence, in tokens.
    #[must_use]
    pub fn max_length(&self) -> usize {
        usize::try_from(self.config.length()).unwrap_or_default()
    }

    /// Hidden states of all tokens, `[tokens, hidden]`, in the order of the sequences. Without gradients.
    ///
    /// # Errors
    /// `model.input` for a token or length that the model does not know.
    pub fn forward(&self, batch: &Packed) -> Result<Tensor, ModelError> {
        self.check_input(batch)?;
        let index = |values: &[i64]| Tensor::f_from_slice(values)?.f_to_device(self.device);
        let mut x = self.words.f_index_select(0, &index(&batch.ids)?)?;
        let positions = index(&batch.positions)?.f_add_scalar(self.config.first_position())?;
        let kinds = match &batch.second {
            false => self.kinds_of_text.f_get(0)?,
            true => {
                // A model that does not tell the texts of a pair apart has one kind.
                let last = self.config.type_vocab_size - 1;
                let kinds = index(&batch.texts)?.f_clamp_max(last)?;
                self.kinds_of_text.f_index_select(0, &kinds)?
            }
        };
        let _ = x
            .f_add_(&self.positions.f_index_select(0, &positions)?)?
            .f_add_(&kinds)?;
        x = self.norm.forward(&x)?;
        if let Some(kernels) = &self.kernels {
            return kernels.forward(&x, batch);
        }
        for layer in &self.layers {
            x = layer.forward(x, batch, self.config.num_attention_heads)?;
        }
        Ok(x)
    }

    fn check_input(&self, batch: &Packed) -> Result<(), ModelError> {
        if let Some(id) = batch.ids.iter().find(|&&id| id >= self.config.vocab_size) {
            return Err(ModelError::input(
                format!(
                    "the token {id} is outside the model's vocabulary of {}",
                    self.config.vocab_size
                ),
                "Check that tokenizer.json belongs to these weights.",
            ));
        }
        let longest = batch.runs.iter().map(|run| run.length).max().unwrap_or(0);
        if longest > self.config.length() {
            return Err(ModelError::input(
                format!(
                    "a sequence has {longest} tokens, the model reads {}",
                    self.config.length()
                ),
                "Set a smaller max_length.",
            ));
        }
        Ok(())
    }
}
