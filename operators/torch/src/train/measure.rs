//! Held-out loss.

use super::{
    batch::Batch,
    tokens::{Sequence, TokenFile},
};
use crate::{ModelError, nn::Decoder};

/// Tokens of a batch that is only measured.
const BATCH_TOKENS: usize = 4096;

/// The loss of one sequence.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Loss {
    /// Sum over its targets, in nats.
    pub sum: f64,
    /// Its targets.
    pub tokens: u64,
}

impl Loss {
    /// Nats a token.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a count of tokens is far below 2^52")]
    pub fn mean(self) -> f64 {
        if self.tokens == 0 {
            0.0
        } else {
            self.sum / self.tokens as f64
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            sum: self.sum + other.sum,
            tokens: self.tokens + other.tokens,
        }
    }
}

/// The loss of each sequence, in order; `pause` is asked between batches and may end it.
///
/// # Errors
/// What libtorch says, or what `pause` does.
pub fn losses<E: From<ModelError>>(
    model: &Decoder,
    file: &TokenFile,
    sequences: &[Sequence],
    mut pause: impl FnMut() -> Result<(), E>,
) -> Result<Vec<Loss>, E> {
    let mut found = vec![Loss::default(); sequences.len()];
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by_key(|index| sequences.get(*index).map(|sequence| sequence.length));
    while let Some(last) = order.last() {
        pause()?;
        // From the longest down, so that a batch's width is that of its first.
        let longest = sequences
            .get(*last)
            .map_or(1, |sequence| sequence.length as usize);
        let count = (BATCH_TOKENS / longest.max(1)).clamp(1, order.len());
        let batch = order.split_off(order.len() - count);
        let picked: Vec<Sequence> = batch
            .iter()
            .filter_map(|index| sequences.get(*index).copied())
            .collect();
        let sums = tch::no_grad(|| batch_losses(model, file, &picked))?;
        for (index, loss) in batch.into_iter().zip(sums) {
            if let Some(place) = found.get_mut(index) {
                *place = loss;
            }
        }
    }
    Ok(found)
}

fn batch_losses(model: &Decoder, file: &TokenFile, sequences: &[Sequence]) -> Result<Vec<Loss>, ModelError> {
    let batch = Batch::read(file, sequences, model.device())?;
    let each = Vec::<f32>::try_from(batch.losses(model)?.f_to_device(tch::Device::Cpu)?)?;
    let mut rest = each.as_slice();
    let mut sums = Vec::with_capacity(sequences.len());
    for count in batch.counts {
        let (own, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        sums.push(Loss {
            sum: own.iter().map(|loss| f64::from(*loss)).sum(),
            tokens: own.len() as u64,
        });
        rest = after;
    }
    Ok(sums)
}
