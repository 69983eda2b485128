//! Direct preference optimisation: a better answer becomes likelier than a worse one, compared with the base itself (the
//! same weights with the adapter off).

use tch::{Kind, Tensor};

use super::{
    batch::Batch,
    tokens::{Sequence, TokenFile},
};
use crate::{ModelError, nn::Decoder};

/// Sequences of a batch that is only measured.
const AT_ONCE: usize = 16;

/// What the base says, and how far the model may go from it.
pub struct Preference {
    /// The larger, the closer to the base.
    beta: f64,
    /// Log likelihood of every sequence by the base.
    reference: Vec<f64>,
    held: Vec<f64>,
}

impl Preference {
    /// Asks the base, which must have no adapter on (or one that changes nothing yet).
    ///
    /// # Errors
    /// What libtorch says.
    pub fn new(base: &Decoder, train: &TokenFile, held: &TokenFile, beta: f64) -> Result<Self, ModelError> {
        Ok(Self {
            beta,
            reference: likelihoods(base, train, train.sequences())?,
            held: likelihoods(base, held, held.sequences())?,
        })
    }

    /// Adds the gradients of the summed loss over pairs, and gives it. `numbers` are the batch's sequences in the file.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn backward(&self, model: &Decoder, batch: &Batch, numbers: &[usize]) -> Result<Tensor, ModelError> {
        let loss = self.loss(model, batch, numbers, &self.reference)?;
        loss.f_backward()?;
        Ok(loss.f_detach()?)
    }

    /// The mean loss over held-out pairs.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn held_out(&self, model: &Decoder, held: &TokenFile, most: usize) -> Result<f64, ModelError> {
        let pairs = (held.sequences().len() / 2).min(most).max(1);
        let numbers: Vec<usize> = (0..2 * pairs).collect();
        let mut sum = 0.0;
        for some in numbers.chunks(AT_ONCE) {
            let picked: Vec<Sequence> = some
                .iter()
                .filter_map(|number| held.sequences().get(*number).copied())
                .collect();
            let batch = Batch::read(held, &picked, model.device())?;
            sum += tch::no_grad(|| {
                self.loss(model, &batch, some, &self.held)?
                    .f_double_value(&[])
                    .map_err(ModelError::from)
            })?;
        }
        Ok(sum / pairs as f64)
    }

    fn loss(
        &self,
        model: &Decoder,
        batch: &Batch,
        numbers: &[usize],
        reference: &[f64],
    ) -> Result<Tensor, ModelError> {
        let by_base: Vec<f32> = numbers
            .iter()
            .map(|number| reference.get(*number).copied().unwrap_or_default() as f32)
            .collect();
        let by_base = Tensor::f_from_slice(&by_base)?.f_to_device(model.device())?;
        let gained = sums(model, batch)?.f_sub(&by_base)?.f_view([-1, 2])?;
        let margin = gained.f_select(1, 0)?.f_sub(&gained.f_select(1, 1)?)?;
        Ok(margin
            .f_mul_scalar(self.beta)?
            .f_log_sigmoid()?
            .f_neg()?
            .f_sum(Kind::Float)?)
    }
}

/// Log likelihood of each sequence of a batch, `[sequences]`.
fn sums(model: &Decoder, batch: &Batch) -> Result<Tensor, ModelError> {
    let counts: Vec<i64> = batch.counts.iter().map(|count| *count as i64).collect();
    let each = batch.losses(model)?.f_neg()?;
    let parts = each.f_split_with_sizes(counts.as_slice(), 0)?;
    let parts = parts
        .iter()
        .map(|part| part.f_sum(Kind::Float))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Tensor::f_stack(&parts, 0)?)
}

fn likelihoods(model: &Decoder, file: &TokenFile, sequences: &[Sequence]) -> Result<Vec<f64>, ModelError> {
    let mut found = Vec::with_capacity(sequences.len());
    for some in sequences.chunks(AT_ONCE) {
        let batch = Batch::read(file, some, model.device())?;
        let sums = tch::no_grad(|| sums(model, &batch))?.f_to_kind(Kind::Double)?;
        found.extend(Vec::<f64>::try_from(sums.f_to_device(tch::Device::Cpu)?)?);
    }
    Ok(found)
}
