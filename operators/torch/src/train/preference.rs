//! Direct preference optimisation: a better answer becomes likelier than a worse one, compared with the base itself (the
//! same weights without the adapter).

use std::{
    fs,
    ops::Range,
    path::Path,
    time::{Duration, Instant},
};

use tch::{Kind, Tensor};
use twinloom_operators::train::Config;
use twinloom_sdk::{Context, OperatorError};

use super::{
    batch::{Batch, differentiate},
    memory::{Memory, Pass},
    resume::{Keeper, REFERENCE, REFERENCE_NEW, SIZE},
    tokens::{Sequence, TokenFile},
};
use crate::{ModelError, nn::Decoder};

/// Pairs of a batch that is only measured, at most.
const PAIRS: usize = 8;
/// And its tokens.
const TOKENS: usize = 4096;

/// What the base says, and how far the model may go from it.
#[derive(Debug, PartialEq)]
pub struct Preference {
    /// The larger, the closer to the base.
    beta: f64,
    /// Log likelihood of every sequence by the base.
    reference: Vec<f64>,
    held: Vec<f64>,
}

impl Preference {
    /// Of what the base says of every sequence to learn from and of every one held out.
    #[must_use]
    pub fn new(beta: f64, reference: Vec<f64>, held: Vec<f64>) -> Self {
        Self {
            beta,
            reference,
            held,
        }
    }

    /// Asks the base, which must have no adapter on: as many sequences at a time as training takes. What it said is kept
    /// beside the checkpoints, so that it is asked once however often the training is stopped.
    ///
    /// # Errors
    /// `task.cancelled`, `train.out_of_memory`, or what libtorch says.
    pub fn of_base(
        context: &Context,
        config: &Config,
        keeper: &Keeper,
        base: &Decoder,
        train: &TokenFile,
        held: &TokenFile,
    ) -> Result<Self, OperatorError> {
        let path = keeper.beside(REFERENCE);
        let (mut memory, words) = Memory::kept(config.micro_batch, &keeper.beside(SIZE));
        words.into_iter().for_each(|words| context.warn(words));
        let (first, total) = (
            train.sequences().len(),
            train.sequences().len() + held.sequences().len(),
        );
        let mut said = read(&path);
        said.truncate(total);
        let every = Duration::from_secs(config.checkpoint_seconds);
        let mut last = Instant::now();
        for (file, from) in [(train, 0), (held, first)] {
            let mut own = said.split_off(from.min(said.len()));
            let rest = own.split_off(file.sequences().len().min(own.len()));
            let mut found = likelihoods(base, file, own, &mut memory, |own| {
                context.progress(
                    (from + own.len()) as u64,
                    Some(total as u64),
                    "sequences by the base",
                );
                let stopped = context.check_cancelled();
                if stopped.is_err() || (!every.is_zero() && last.elapsed() >= every) {
                    keep(context, &path, &[said.as_slice(), own].concat());
                    last = Instant::now();
                }
                stopped
            })?;
            said.append(&mut found);
            said.extend(rest);
        }
        keep(context, &path, &said);
        let held = said.split_off(first);
        Ok(Self::new(config.beta, said, held))
    }

    /// Adds the gradients of the summed loss over pairs, and gives it; with `recompute` as [`differentiate`] does.
    /// `numbers` are the batch's sequences in the file.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn backward(
        &self,
        model: &Decoder,
        batch: &Batch,
        numbers: &[usize],
        recompute: bool,
    ) -> Result<Tensor, ModelError> {
        let by_base = picked(&self.reference, numbers);
        differentiate(model, batch, recompute, |x| {
            self.loss(&batch.each(model, x)?, batch, &by_base)
        })
    }

    /// The mean loss over held-out pairs; `pause` is asked between batches and may end it.
    ///
    /// # Errors
    /// What libtorch says, `train.out_of_memory`, or what `pause` does.
    pub fn held_out(
        &self,
        model: &Decoder,
        held: &TokenFile,
        most: usize,
        memory: &mut Memory,
        mut pause: impl FnMut() -> Result<(), OperatorError>,
    ) -> Result<f64, OperatorError> {
        let pairs = (held.sequences().len() / 2).min(most);
        let sequences = held.sequences().get(..2 * pairs).unwrap_or_default();
        let (mut done, mut sum) = (0, 0.0);
        while done < sequences.len() {
            pause()?;
            let range = next(sequences, done, 2, memory);
            let numbers: Vec<usize> = range.clone().collect();
            let measured = guarded(memory, sequences, &range, || {
                let batch = Batch::read(
                    held,
                    sequences.get(range.clone()).unwrap_or_default(),
                    model.device(),
                )?;
                let loss = self.loss(&batch.losses(model)?, &batch, &picked(&self.held, &numbers))?;
                Ok(loss.f_double_value(&[])?)
            })?;
            if let Some(measured) = measured {
                sum += measured;
                done = range.end;
            }
        }
        Ok(sum / pairs.max(1) as f64)
    }

    /// Summed over pairs, from the negative log likelihood of every target.
    fn loss(&self, each: &Tensor, batch: &Batch, by_base: &[f32]) -> Result<Tensor, ModelError> {
        let by_base = Tensor::f_from_slice(by_base)?.f_to_device(each.device())?;
        let gained = sums(each, batch)?.f_sub(&by_base)?.f_view([-1, 2])?;
        let margin = gained.f_select(1, 0)?.f_sub(&gained.f_select(1, 1)?)?;
        Ok(margin
            .f_mul_scalar(self.beta)?
            .f_log_sigmoid()?
            .f_neg()?
            .f_sum(Kind::Float)?)
    }
}

/// Log likelihood of every sequence of a file, of which some are known; `pause` is given those so far between batches and
/// may end it.
///
/// # Errors
/// What libtorch says, `train.out_of_memory`, or what `pause` does.
pub fn likelihoods(
    model: &Decoder,
    file: &TokenFile,
    known: Vec<f64>,
    memory: &mut Memory,
    mut pause: impl FnMut(&[f64]) -> Result<(), OperatorError>,
) -> Result<Vec<f64>, OperatorError> {
    let (sequences, mut found) = (file.sequences(), known);
    while found.len() < sequences.len() {
        pause(&found)?;
        let range = next(sequences, found.len(), 1, memory);
        let measured = guarded(memory, sequences, &range, || {
            let batch = Batch::read(
                file,
                sequences.get(range.clone()).unwrap_or_default(),
                model.device(),
            )?;
            let sums = sums(&batch.losses(model)?, &batch)?.f_to_kind(Kind::Double)?;
            Ok(Vec::<f64>::try_from(sums.f_to_device(tch::Device::Cpu)?)?)
        })?;
        found.extend(measured.into_iter().flatten());
    }
    Ok(found)
}

/// The next sequences to be measured at a time, a multiple of `unit`: as many as training takes, and not many tokens.
fn next(sequences: &[Sequence], from: usize, unit: usize, memory: &Memory) -> Range<usize> {
    let rest = sequences.get(from..).unwrap_or_default();
    let (mut tokens, mut count) = (0, 0);
    for part in rest.chunks(unit).take(2 * memory.most(PAIRS) / unit) {
        tokens += part
            .iter()
            .map(|sequence| sequence.length as usize)
            .sum::<usize>();
        if count > 0 && tokens > TOKENS {
            break;
        }
        count += part.len();
    }
    from..from + count
}

/// Measures some sequences; `None` where they did not fit, and fewer are to be taken.
fn guarded<T>(
    memory: &mut Memory,
    sequences: &[Sequence],
    range: &Range<usize>,
    run: impl FnOnce() -> Result<T, ModelError>,
) -> Result<Option<T>, OperatorError> {
    let pairs = range.len().div_ceil(2);
    let lengths = sequences.get(range.clone()).unwrap_or_default().iter();
    let tokens = lengths.map(|sequence| sequence.length as usize).sum();
    memory.begin(Pass::Measured, pairs, tokens);
    match tch::no_grad(run) {
        Ok(measured) => {
            memory.passed(Pass::Measured, tokens);
            Ok(Some(measured))
        }
        Err(error) if error.is_out_of_memory() => memory.shrink(pairs, &error).map(|_| None),
        Err(error) => {
            memory.failed();
            Err(error.into())
        }
    }
}

/// Log likelihood of each sequence of a batch, `[sequences]`, from the negative one of every target.
fn sums(each: &Tensor, batch: &Batch) -> Result<Tensor, ModelError> {
    let counts: Vec<i64> = batch.counts.iter().map(|count| *count as i64).collect();
    let parts = each.f_neg()?.f_split_with_sizes(counts.as_slice(), 0)?;
    let parts = parts
        .iter()
        .map(|part| part.f_sum(Kind::Float))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Tensor::f_stack(&parts, 0)?)
}

fn picked(reference: &[f64], numbers: &[usize]) -> Vec<f32> {
    let of = |number: &usize| reference.get(*number).copied().unwrap_or_default() as f32;
    numbers.iter().map(of).collect()
}

/// What was kept; nothing where it cannot be read.
fn read(path: &Path) -> Vec<f64> {
    let bytes = fs::read(path).unwrap_or_default();
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().map(|word| f64::from_le_bytes(*word)).collect()
}

/// Keeps what the base said. It only saves time: where it cannot be kept, training goes on.
fn keep(context: &Context, path: &Path, said: &[f64]) {
    if let Err(error) = write(path, said) {
        context.warn(format!(
            "what the base said is not kept, an attempt after this one has to ask it again: {error}"
        ));
    }
}

/// Under a name of its own first: a kill leaves what there was, or all of it.
fn write(path: &Path, said: &[f64]) -> Result<(), ModelError> {
    let bytes: Vec<u8> = said.iter().flat_map(|value| value.to_le_bytes()).collect();
    let fresh = path.with_extension(REFERENCE_NEW);
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&fresh, bytes))
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(|source| ModelError::Io {
            path: path.to_owned(),
            source,
        })
}
