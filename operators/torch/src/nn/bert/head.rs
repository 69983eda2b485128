//! The layers of a cross-encoder behind its encoder.

use tch::{Device, Kind, Tensor};

use super::{Packed, config::BertConfig};
use crate::{ModelError, checkpoint::Checkpoint, nn::Linear};

/// What makes a score of a pair's first hidden state.
#[derive(Debug)]
pub struct Head {
    dense: Linear,
    out: Linear,
    /// What it computes in; hidden states may come in another type.
    kind: Kind,
}

impl Head {
    /// Reads `pooler` and `classifier` of a `...ForSequenceClassification` checkpoint.
    ///
    /// # Errors
    /// `model.tensor_missing` for a checkpoint without such a head, or what [`Checkpoint::tensor`] says.
    pub fn load(checkpoint: &Checkpoint, device: Device, kind: Kind) -> Result<Self, ModelError> {
        let config: BertConfig = checkpoint.config()?;
        let (dense, out) = if config.is_roberta() {
            ("classifier.dense", "classifier.out_proj")
        } else {
            ("bert.pooler.dense", "classifier")
        };
        let hidden = config.hidden_size;
        let labels = checkpoint
            .shape(&format!("{out}.weight"))
            .and_then(|shape| shape.first());
        let labels = labels.copied().unwrap_or(1);
        let linear = |name: &str, outputs| {
            Linear::load(checkpoint, name.to_owned(), (outputs, hidden), true, device, kind)
        };
        Ok(Self {
            dense: linear(dense, hidden)?,
            out: linear(out, labels)?,
            kind,
        })
    }

    /// Scores of a pair.
    #[must_use]
    pub fn labels(&self) -> i64 {
        self.out.shape().0
    }

    /// Hidden states of pairs to their scores, `[pairs, labels]`.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn forward(&self, hidden: &Tensor, batch: &Packed) -> Result<Tensor, ModelError> {
        let first = batch.pool(hidden, |run| Ok(run.f_select(1, 0)?))?;
        let first = first.f_to_kind(self.kind)?;
        self.out.forward(&self.dense.forward(&first)?.f_tanh()?)
    }
}
