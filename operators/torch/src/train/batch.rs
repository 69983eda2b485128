//! A batch as tensors.

use tch::{Device, Kind, Tensor};

use super::tokens::{Sequence, TokenFile};
use crate::{
    ModelError,
    nn::{Decoder, Step},
};

/// Several sequences, padded on the right. Attention is causal, so what is on the right changes nothing before it, and
/// padding is never predicted.
pub struct Batch {
    /// `[sequences, longest]`.
    tokens: Tensor,
    /// Where a next token is predicted, counted over the flattened `tokens`.
    places: Tensor,
    /// The tokens predicted there.
    targets: Tensor,
    /// Targets of each sequence, in order.
    pub counts: Vec<usize>,
}

impl Batch {
    /// Reads sequences and makes tensors of them.
    ///
    /// # Errors
    /// `model.unreadable`, or what libtorch says.
    pub fn read(file: &TokenFile, sequences: &[Sequence], device: Device) -> Result<Self, ModelError> {
        let read = sequences
            .iter()
            .map(|sequence| Ok((file.read(*sequence)?, sequence.given as usize)));
        Self::new(&read.collect::<Result<Vec<_>, ModelError>>()?, device)
    }

    /// Makes tensors of sequences with the number of their tokens that are given.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn new(sequences: &[(Vec<i64>, usize)], device: Device) -> Result<Self, ModelError> {
        let width = sequences
            .iter()
            .map(|(tokens, _)| tokens.len().saturating_sub(1))
            .max()
            .unwrap_or(0)
            .max(1);
        let mut tokens = vec![0_i64; width * sequences.len()];
        let (mut places, mut targets, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for (row, (sequence, given)) in sequences.iter().enumerate() {
            let start = row * width;
            for (place, token) in tokens.iter_mut().skip(start).zip(sequence.iter().take(width)) {
                *place = *token;
            }
            let before = targets.len();
            for (index, token) in sequence.iter().enumerate().skip((*given).max(1)) {
                places.push((start + index - 1) as i64);
                targets.push(*token);
            }
            counts.push(targets.len() - before);
        }
        let shape = [sequences.len() as i64, width as i64];
        let tensor = |values: &[i64]| Tensor::f_from_slice(values)?.f_to_device(device);
        Ok(Self {
            tokens: tensor(&tokens)?.f_view(shape)?,
            places: tensor(&places)?,
            targets: tensor(&targets)?,
            counts,
        })
    }

    /// Tokens that are predicted.
    #[must_use]
    pub fn targets(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Tokens that are computed, padding included.
    #[must_use]
    pub fn size(&self) -> usize {
        self.tokens.numel()
    }

    /// Negative log likelihood in nats of each target, `[targets]`, fp32. Logits are computed for targets only.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn losses(&self, model: &Decoder) -> Result<Tensor, ModelError> {
        let hidden = model.hidden(&self.tokens, Step::default())?;
        let width = hidden.size3()?.2;
        let wanted = hidden.f_view([-1, width])?.f_index_select(0, &self.places)?;
        let logits = model.logits(&wanted)?.f_to_kind(Kind::Float)?;
        Ok(logits.f_cross_entropy_loss::<Tensor>(&self.targets, None, tch::Reduction::None, -100, 0.0)?)
    }
}
