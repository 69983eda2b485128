//! The loop over steps.

use std::time::Instant;

use tch::Tensor;
use twinloom_operators::train::{Config, Optimizer};
use twinloom_sdk::{Context, OperatorError};

use super::{
    AdamW, AdamWConfig, LearningRate, Loss,
    batch::{Batch, backward},
    losses,
    memory::{self, Memory, Pass},
    order::Order,
    preference::Preference,
    random::Random,
    resume::{Keeper, Progress, SIZE},
    speed,
    tokens::{Sequence, TokenFile},
};
use crate::{
    ModelError,
    nn::{Decoder, Linear},
};

/// At most so many points of a curve are reported.
const POINTS: u64 = 200;

/// What is trained on what.
pub struct Fit<'a> {
    /// The attempt, for reports and cancellation.
    pub context: &'a Context,
    /// Checked.
    pub config: &'a Config,
    /// The model; with its adapter attached, where there is one.
    pub model: &'a Decoder,
    /// What the optimizer changes.
    pub weights: Vec<Tensor>,
    /// Sequences to learn from.
    pub train: &'a TokenFile,
    /// Held-out sequences; none, and nothing is measured.
    pub held: Option<&'a TokenFile>,
    /// Sequences are pairs, the better answer first: how much likelier it is to become.
    pub preference: Option<Preference>,
    /// Seed of the order.
    pub seed: u64,
}

/// A measurement of the held-out loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Steps done.
    pub step: u64,
    /// Nats a token.
    pub loss: f64,
}

/// How the training went.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curve {
    /// Optimizer steps.
    pub steps: u64,
    /// Tokens predicted in all.
    pub tokens: u64,
    /// Mean training loss of the first and of the last tenth of steps, in nats a token.
    pub train: (f64, f64),
    /// Held-out loss before, during and after.
    pub held: Vec<Point>,
    /// The loss of every step.
    pub losses: Vec<f64>,
    /// Wall-clock seconds, of earlier attempts too; not part of what is published.
    pub seconds: f64,
    /// The step that this attempt went on from.
    pub resumed_from: u64,
}

/// A step's outcome, still on the device.
struct Taken {
    loss: Tensor,
    norm: Tensor,
    targets: u64,
    computed: u64,
}

impl Fit<'_> {
    /// Trains. The same data, configuration, seed and number of threads give the same weights on a CPU, in one attempt or
    /// in several.
    ///
    /// # Errors
    /// `task.cancelled`, `train.no_data`, `train.diverged`, `train.out_of_memory`, or what libtorch says.
    pub fn run(self) -> Result<Curve, OperatorError> {
        let units = self.units();
        if units == 0 {
            return Err(OperatorError::data(
                "train.no_data",
                "there is nothing to learn from on the training side of the split",
                "Add documents, or lower `eval_share`.",
            ));
        }
        let (config, started) = (self.config, Instant::now());
        let steps = config.steps(units);
        let rates = LearningRate::new(
            config.learning_rate(self.model.architecture().hidden),
            steps,
            config.warmup,
            config.schedule,
        );
        let weights = self.weights.iter().map(Tensor::shallow_clone).collect();
        let mut optimizer = AdamW::new(weights, constants(config))?;
        let mut keeper = Keeper::new(self.context, config);
        let mut progress = keeper.restore(&mut optimizer)?.unwrap_or_default();
        let (resumed_from, before) = (progress.step, progress.seconds);
        let (mut memory, words) = Memory::kept(config.micro_batch, &keeper.beside(SIZE));
        words.into_iter().for_each(|words| self.context.warn(words));
        let mut order = self.order();
        let batches = config.accumulate as u64;
        (0..progress.step * batches).for_each(|_| drop(order.next_batch()));
        if progress.step > 0 {
            self.context
                .info(format!("going on from step {} of {steps}", progress.step));
        } else {
            self.measure(0, steps, &mut progress, &mut memory)?;
        }
        let every = steps.div_ceil(POINTS);
        let seconds = |started: Instant| before + started.elapsed().as_secs_f64();
        // A figure beside the training: where it cannot be had, that goes on without.
        let measured = || speed::matrix_rate(self.model.kind(), self.model.device()).ok();
        let matrix_rate = config.matrix_rate.or_else(measured);
        // Speed is of steps: not of what was measured before them.
        let stepping = Instant::now();
        let mut computed = 0;
        while progress.step < steps {
            if let Err(cancelled) = self.context.check_cancelled() {
                progress.seconds = seconds(started);
                keeper.save(&progress, &optimizer)?;
                return Err(cancelled);
            }
            let rate = rates.at(progress.step);
            let taken = self.step(&mut order, &mut optimizer, rate, &mut memory)?;
            progress.step += 1;
            progress.tokens += taken.targets;
            computed += taken.computed;
            let (loss, norm) = (taken.loss.f_double_value(&[]), taken.norm.f_double_value(&[]));
            let (loss, norm) = (loss.map_err(ModelError::from)?, norm.map_err(ModelError::from)?);
            if !loss.is_finite() || !norm.is_finite() {
                return Err(diverged(progress.step));
            }
            progress.losses.push(loss);
            if (progress.step - 1) % every == 0 || progress.step == steps {
                let speed = count(computed) / stepping.elapsed().as_secs_f64().max(1e-9);
                let mut figures = vec![
                    ("train_loss", loss),
                    ("learning_rate", rate),
                    ("gradient_norm", norm),
                    ("tokens_per_second", speed),
                    ("memory_mib", memory::used_mib(self.model.device())),
                ];
                if let Some(rate) = matrix_rate {
                    figures.push(("utilisation", speed * self.flops_per_token() / rate));
                }
                self.report(progress.step, &figures);
            }
            self.context.progress(progress.step, Some(steps), "steps");
            let step = progress.step;
            if config.eval_every > 0 && step.is_multiple_of(config.eval_every) && step < steps {
                self.measure(step, steps, &mut progress, &mut memory)?;
            }
            if step < steps && keeper.due(step) {
                progress.seconds = seconds(started);
                keeper.save(&progress, &optimizer)?;
            }
        }
        self.measure(steps, steps, &mut progress, &mut memory)?;
        keeper.finish();
        let held = progress.held();
        let Progress { tokens, losses, .. } = progress;
        Ok(Curve {
            steps,
            tokens,
            train: (
                mean(&losses, |n| 0..n.div_ceil(10)),
                mean(&losses, |n| n - n.div_ceil(10)..n),
            ),
            held,
            losses,
            seconds: seconds(started),
            resumed_from,
        })
    }

    /// Sequences of a unit: one, or a pair.
    fn each(&self) -> usize {
        if self.preference.is_some() { 2 } else { 1 }
    }

    /// Sequences, or pairs of them.
    fn units(&self) -> usize {
        self.train.sequences().len() / self.each()
    }

    fn order(&self) -> Order {
        let (config, each) = (self.config, self.each());
        let order = Order::new(self.train.sequences(), each, config.batch(), self.seed);
        if config.packing {
            order.packed(each * config.batch() * config.context())
        } else {
            order
        }
    }

    /// One optimizer step over `accumulate` batches. Where a batch does not fit the memory it is cut, if that is wanted.
    fn step(
        &self,
        order: &mut Order,
        optimizer: &mut AdamW,
        rate: f64,
        memory: &mut Memory,
    ) -> Result<Taken, OperatorError> {
        let batches: Vec<Vec<usize>> = (0..self.config.accumulate).map(|_| order.next_batch()).collect();
        let (mut sum, mut targets, mut computed): (Option<Tensor>, u64, u64) = (None, 0, 0);
        let mut waiting: Vec<Vec<usize>> = batches.iter().rev().cloned().collect();
        while let Some(numbers) = waiting.pop() {
            let most = memory.most(numbers.len());
            if numbers.len() > most {
                // In order, so that the result does not depend on when the cut was found out.
                waiting.extend(numbers.chunks(most).rev().map(<[usize]>::to_vec));
                continue;
            }
            let tokens = self.tokens(&numbers);
            memory.begin(Pass::Trained, numbers.len(), tokens);
            match self.backward(&numbers) {
                Ok((loss, of_batch, size)) => {
                    memory.passed(Pass::Trained, tokens);
                    targets += of_batch;
                    computed += size;
                    sum = Some(match sum {
                        Some(sum) => sum.f_add(&loss).map_err(ModelError::from)?,
                        None => loss,
                    });
                }
                Err(error) if error.is_out_of_memory() => {
                    let fewer = memory.shrink(numbers.len(), &error)?;
                    self.context
                        .info(format!("memory ran out: from now on with micro_batch {fewer}"));
                    // Gradients of a batch that broke off half-way are in the buffers: the step begins anew.
                    optimizer.forget()?;
                    (sum, targets, computed) = (None, 0, 0);
                    waiting = batches.iter().rev().cloned().collect();
                }
                Err(error) => {
                    memory.failed();
                    return Err(error.into());
                }
            }
        }
        let divisor = if self.preference.is_some() {
            count(batches.iter().map(Vec::len).sum::<usize>().max(1) as u64)
        } else {
            count(targets.max(1))
        };
        let loss = sum.unwrap_or_else(|| Tensor::from(0.0_f32));
        Ok(Taken {
            norm: optimizer.step(rate, 1.0 / divisor)?,
            loss: loss.f_div_scalar(divisor).map_err(ModelError::from)?,
            targets,
            computed,
        })
    }

    /// Tokens of some units.
    fn tokens(&self, numbers: &[usize]) -> usize {
        let each = self.each();
        let of_unit = |number: &usize| {
            let sequences = self.train.sequences().get(number * each..(number + 1) * each);
            let lengths = sequences.unwrap_or_default().iter();
            lengths.map(|sequence| sequence.length as usize).sum::<usize>()
        };
        numbers.iter().map(of_unit).sum()
    }

    /// Adds a batch's gradients; gives the summed loss, the targets and the tokens computed.
    fn backward(&self, numbers: &[usize]) -> Result<(Tensor, u64, u64), ModelError> {
        let (all, each) = (self.train.sequences(), self.each());
        let numbers: Vec<usize> = numbers
            .iter()
            .flat_map(|number| number * each..(number + 1) * each)
            .collect();
        let picked: Vec<Sequence> = numbers
            .iter()
            .filter_map(|number| all.get(*number).copied())
            .collect();
        let batch = Batch::read(self.train, &picked, self.model.device())?;
        let recompute = self.config.gradient_checkpointing;
        let loss = match &self.preference {
            Some(preference) => preference.backward(self.model, &batch, &numbers, recompute)?,
            None => backward(self.model, &batch, recompute)?,
        };
        Ok((loss, batch.targets() as u64, batch.size() as u64))
    }

    /// Forward, and backward without the gradients of frozen weights: 4 a weight; 6 where all are trained.
    fn flops_per_token(&self) -> f64 {
        let trained: usize = self.weights.iter().map(Tensor::numel).sum();
        let frozen = products_per_token(self.model);
        if trained as f64 >= frozen * 0.9 {
            6.0 * frozen
        } else {
            4.0 * frozen
        }
    }

    fn measure(
        &self,
        step: u64,
        steps: u64,
        progress: &mut Progress,
        memory: &mut Memory,
    ) -> Result<(), OperatorError> {
        let Some(held) = self.held.filter(|held| !held.sequences().is_empty()) else {
            return Ok(());
        };
        let all = held.sequences();
        let loss = if let Some(preference) = &self.preference {
            let pause = || self.context.check_cancelled();
            preference.held_out(self.model, held, self.config.eval_rows, memory, pause)?
        } else {
            let picked = Random::new(0, 0).sample(all.len(), self.config.eval_rows);
            let picked: Vec<Sequence> = picked
                .into_iter()
                .filter_map(|index| all.get(index).copied())
                .collect();
            let each = losses(self.model, held, &picked, || self.context.check_cancelled())?;
            each.into_iter().fold(Loss::default(), Loss::plus).mean()
        };
        self.report(step, &[("eval_loss", loss)]);
        self.context
            .info(format!("step {step} of {steps}: held-out loss {loss:.4}"));
        progress.measured(Point { step, loss });
        Ok(())
    }

    fn report(&self, step: u64, figures: &[(&str, f64)]) {
        for (name, value) in figures {
            self.context.metric(name, *value, Some(step));
        }
    }
}

/// Weights that every token is multiplied with: those of the layers and of the output.
pub fn products_per_token(model: &Decoder) -> f64 {
    let a = model.architecture();
    let shapes = model.linears().map(Linear::shape);
    let layers: i64 = shapes.map(|(outputs, inputs)| outputs * inputs).sum();
    (layers + a.vocabulary * a.hidden) as f64
}

fn constants(config: &Config) -> AdamWConfig {
    // A shorter memory of squares suits pre-training, where gradients shrink fast.
    let second = if config.method.pretrains() { 0.95 } else { 0.999 };
    AdamWConfig {
        betas: (0.9, second),
        epsilon: 1e-8,
        weight_decay: config.weight_decay(),
        clip_norm: config.clip_norm,
        eight_bit: config.optimizer == Optimizer::Adamw8bit,
    }
}

fn diverged(step: u64) -> OperatorError {
    OperatorError::config(
        "train.diverged",
        format!("the loss or its gradient is no longer a number at step {step}"),
        "Lower `learning_rate`, or raise `warmup`; `clip_norm: 1` helps as well.",
    )
}

fn mean(losses: &[f64], part: impl Fn(usize) -> std::ops::Range<usize>) -> f64 {
    let part = losses.get(part(losses.len())).unwrap_or_default();
    part.iter().sum::<f64>() / count(part.len().max(1) as u64)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn count(n: u64) -> f64 {
    n as f64
}
