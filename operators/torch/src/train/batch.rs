//! A batch as tensors.

use tch::{Device, Kind, Tensor};

use super::tokens::{Sequence, TokenFile};
use crate::{
    ModelError,
    nn::{Attend, Decoder, Pass, Step},
};

/// Several sequences without padding: those of equal length are the rows of one tensor, others lie end to end in a single
/// row, each with positions and attention of its own.
pub struct Batch {
    /// `[sequences, length]` or `[1, all tokens]`.
    tokens: Tensor,
    /// Of sequences end to end.
    segments: Option<Segments>,
    /// Where a next token is predicted, counted over the flattened `tokens`.
    places: Tensor,
    /// The tokens predicted there.
    targets: Tensor,
    /// Targets of each sequence, in order.
    pub counts: Vec<usize>,
}

struct Segments {
    lengths: Vec<i64>,
    positions: Tensor,
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
        let (mut tokens, mut positions) = (Vec::new(), Vec::new());
        let (mut places, mut targets) = (Vec::new(), Vec::new());
        let (mut counts, mut lengths) = (Vec::new(), Vec::new());
        for (sequence, given) in sequences {
            // The last token is only predicted.
            let length = sequence.len().saturating_sub(1).max(1);
            let (start, before) = (tokens.len(), targets.len());
            tokens.extend(sequence.iter().chain(std::iter::repeat(&0)).take(length));
            positions.extend(0..length as i64);
            lengths.push(length as i64);
            for (index, token) in sequence.iter().enumerate().skip((*given).max(1)) {
                places.push((start + index - 1) as i64);
                targets.push(*token);
            }
            counts.push(targets.len() - before);
        }
        let tensor = |values: &[i64]| Tensor::f_from_slice(values)?.f_to_device(device);
        let even = lengths.iter().all(|length| Some(length) == lengths.first());
        let rows = if even { lengths.len().max(1) as i64 } else { 1 };
        let segments = if even {
            None
        } else {
            Some(Segments {
                positions: tensor(&positions)?,
                lengths,
            })
        };
        Ok(Self {
            tokens: tensor(&tokens)?.f_view([rows, -1])?,
            segments,
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

    /// Tokens that are computed.
    #[must_use]
    pub fn size(&self) -> usize {
        self.tokens.numel()
    }

    /// The start of a pass over the model: embeddings, and what its layers share.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn begin(&self, model: &Decoder) -> Result<(Tensor, Pass), ModelError> {
        let step = self.step();
        model.begin(&self.tokens, step.positions, step.attend, 0)
    }

    /// The end of a pass: the summed negative log likelihood in nats of all targets, and that of each (without a
    /// gradient), fp32. Logits exist for some targets at a time.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn finish(&self, model: &Decoder, x: &Tensor) -> Result<(Tensor, Tensor), ModelError> {
        let wanted = self.wanted(&model.finish(x)?)?;
        let softcap = model.architecture().logit_softcap.unwrap_or(0.0);
        Ok(twinloom_shim::loss_sum(
            &wanted,
            &model.output_matrix()?,
            &self.targets,
            softcap,
        )?)
    }

    /// The summed loss, to be differentiated.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn loss(&self, model: &Decoder) -> Result<Tensor, ModelError> {
        Ok(self.finish(model, &self.through(model)?)?.0)
    }

    /// Negative log likelihood in nats of each target, `[targets]`, fp32; may be differentiated where the output layer
    /// is frozen.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn losses(&self, model: &Decoder) -> Result<Tensor, ModelError> {
        self.each(model, &self.through(model)?)
    }

    /// The same from what the last layer gave.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn each(&self, model: &Decoder, x: &Tensor) -> Result<Tensor, ModelError> {
        let wanted = self.wanted(&model.finish(x)?)?;
        let softcap = model.architecture().logit_softcap.unwrap_or(0.0);
        Ok(twinloom_shim::loss_each(
            &wanted,
            &model.output_matrix()?,
            &self.targets,
            softcap,
        )?)
    }

    /// Start and layers of a pass.
    fn through(&self, model: &Decoder) -> Result<Tensor, ModelError> {
        let (mut x, pass) = self.begin(model)?;
        for layer in model.layers() {
            x = layer.forward(&x, &pass, None)?;
        }
        Ok(x)
    }

    fn step(&self) -> Step<'_> {
        match &self.segments {
            None => Step::default(),
            Some(segments) => Step {
                cache: None,
                positions: Some(&segments.positions),
                attend: Attend::Segments(&segments.lengths),
            },
        }
    }

    /// Hidden states where a target is predicted.
    fn wanted(&self, hidden: &Tensor) -> Result<Tensor, ModelError> {
        let width = hidden.size3()?.2;
        let flat = hidden.f_view([-1, width])?;
        if self.targets.numel() == self.tokens.numel() {
            return Ok(flat);
        }
        Ok(flat.f_index_select(0, &self.places)?)
    }
}

/// Adds the gradients of the summed loss to the weights', and gives it; with `recompute` as [`differentiate`] does.
///
/// # Errors
/// What libtorch says.
pub fn backward(model: &Decoder, batch: &Batch, recompute: bool) -> Result<Tensor, ModelError> {
    differentiate(model, batch, recompute, |x| Ok(batch.finish(model, x)?.0))
}

/// Adds the gradients of a loss to the weights', and gives it; `head` makes the loss of what the last layer gives. With
/// `recompute`, only the layers' inputs are kept on the way forward, and each layer is computed again on the way back.
///
/// # Errors
/// What libtorch says.
pub fn differentiate(
    model: &Decoder,
    batch: &Batch,
    recompute: bool,
    head: impl FnOnce(&Tensor) -> Result<Tensor, ModelError>,
) -> Result<Tensor, ModelError> {
    if !recompute {
        let loss = head(&batch.through(model)?)?;
        loss.f_backward()?;
        return Ok(loss.f_detach()?);
    }
    let (start, pass) = batch.begin(model)?;
    let mut inputs = Vec::with_capacity(model.layers().len() + 1);
    let mut x = start.f_detach()?;
    tch::no_grad(|| {
        for layer in model.layers() {
            let next = layer.forward(&x, &pass, None)?;
            inputs.push(std::mem::replace(&mut x, next));
        }
        Ok::<_, ModelError>(())
    })?;
    let leaf = |x: Tensor| x.f_detach()?.f_set_requires_grad(true);
    let last = leaf(x)?;
    let loss = head(&last)?;
    loss.f_backward()?;
    let mut gradient = last.f_grad()?;
    for (layer, input) in model.layers().iter().zip(inputs).rev() {
        let input = leaf(input)?;
        let output = layer.forward(&input, &pass, None)?;
        // Its derivative by the output is the gradient, exactly.
        output.f_mul(&gradient)?.f_sum(Kind::Float)?.f_backward()?;
        gradient = input.f_grad()?;
    }
    if start.requires_grad() {
        start.f_mul(&gradient)?.f_sum(Kind::Float)?.f_backward()?;
    }
    Ok(loss.f_detach()?)
}
