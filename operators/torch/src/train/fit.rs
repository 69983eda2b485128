//! The loop over steps.

use std::time::Instant;

use tch::{Kind, Tensor};
use twinloom_operators::train::{Config, Method};
use twinloom_sdk::{Context, OperatorError};

use super::{
    AdamW, AdamWConfig, LearningRate, Loss,
    batch::Batch,
    losses,
    order::Order,
    random::Random,
    tokens::{Sequence, TokenFile},
};
use crate::{ModelError, nn::Decoder};

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
    /// Wall-clock seconds; not part of what is published.
    pub seconds: f64,
}

impl Fit<'_> {
    /// Trains. The same data, configuration, seed and number of threads give the same weights on a CPU.
    ///
    /// # Errors
    /// `task.cancelled`, `train.no_data`, `train.diverged`, or what libtorch says.
    pub fn run(self) -> Result<Curve, OperatorError> {
        let sequences = self.train.sequences();
        if sequences.is_empty() {
            return Err(OperatorError::data(
                "train.no_data",
                "there is nothing to learn from on the training side of the split",
                "Add documents, or lower `eval_share`.",
            ));
        }
        let (config, started) = (self.config, Instant::now());
        let steps = config.steps(sequences.len());
        let rates = LearningRate::new(
            config.learning_rate(self.model.architecture().hidden),
            steps,
            config.warmup,
            config.schedule,
        );
        let mut optimizer = AdamW::new(
            self.weights.iter().map(Tensor::shallow_clone).collect(),
            constants(config),
        )?;
        let mut order = Order::new(sequences, config.batch(), self.seed);
        let (mut curve, mut train) = (
            Curve {
                steps,
                ..Curve::default()
            },
            Vec::new(),
        );
        self.measure(0, &mut curve)?;
        let every = steps.div_ceil(POINTS);
        for step in 0..steps {
            self.context.check_cancelled()?;
            let batches = (0..config.accumulate).map(|_| self.batch(&order.next_batch()));
            let batches = batches.collect::<Result<Vec<_>, ModelError>>()?;
            let targets: usize = batches.iter().map(Batch::targets).sum();
            let loss = batches
                .iter()
                .try_fold(0.0, |sum, batch| Ok::<_, ModelError>(sum + self.backward(batch)?))?;
            let norm = optimizer.step(rates.at(step), 1.0 / count(targets.max(1) as u64))?;
            let loss = loss / count(targets.max(1) as u64);
            if !loss.is_finite() || !norm.is_finite() {
                return Err(diverged(step + 1));
            }
            train.push(loss);
            curve.tokens += targets as u64;
            let speed = count(curve.tokens) / started.elapsed().as_secs_f64().max(1e-9);
            if step % every == 0 || step + 1 == steps {
                self.report(
                    step + 1,
                    &[
                        ("train_loss", loss),
                        ("learning_rate", rates.at(step)),
                        ("gradient_norm", norm),
                        ("tokens_per_second", speed),
                    ],
                );
            }
            self.context.progress(step + 1, Some(steps), "steps");
            if config.eval_every > 0 && (step + 1) % config.eval_every == 0 && step + 1 < steps {
                self.measure(step + 1, &mut curve)?;
            }
        }
        self.measure(steps, &mut curve)?;
        curve.train = (
            mean(&train, |n| 0..n.div_ceil(10)),
            mean(&train, |n| n - n.div_ceil(10)..n),
        );
        curve.seconds = started.elapsed().as_secs_f64();
        Ok(curve)
    }

    fn batch(&self, numbers: &[usize]) -> Result<Batch, ModelError> {
        let all = self.train.sequences();
        let picked: Vec<Sequence> = numbers
            .iter()
            .filter_map(|number| all.get(*number).copied())
            .collect();
        Batch::read(self.train, &picked, self.model.device())
    }

    /// Adds the gradients of the summed loss, and gives it.
    fn backward(&self, batch: &Batch) -> Result<f64, ModelError> {
        let loss = batch.losses(self.model)?.f_sum(Kind::Float)?;
        loss.f_backward()?;
        Ok(loss.f_double_value(&[])?)
    }

    fn measure(&self, step: u64, curve: &mut Curve) -> Result<(), OperatorError> {
        let Some(held) = self.held.filter(|held| !held.sequences().is_empty()) else {
            return Ok(());
        };
        let all = held.sequences();
        let picked = Random::new(0, 0).sample(all.len(), self.config.eval_rows);
        let picked: Vec<Sequence> = picked
            .into_iter()
            .filter_map(|index| all.get(index).copied())
            .collect();
        let each = losses(self.model, held, &picked, || self.context.check_cancelled())?;
        let loss = each.into_iter().fold(Loss::default(), Loss::plus).mean();
        self.report(step, &[("eval_loss", loss)]);
        self.context
            .info(format!("step {step} of {}: held-out loss {loss:.4}", curve.steps));
        curve.held.push(Point { step, loss });
        Ok(())
    }

    fn report(&self, step: u64, figures: &[(&str, f64)]) {
        for (name, value) in figures {
            self.context.metric(name, *value, Some(step));
        }
    }
}

fn constants(config: &Config) -> AdamWConfig {
    // A shorter memory of squares suits pre-training, where gradients shrink fast.
    let second = match config.method {
        Method::Pretrain => 0.95,
        Method::Lora => 0.999,
    };
    AdamWConfig {
        betas: (0.9, second),
        epsilon: 1e-8,
        weight_decay: config.weight_decay(),
        clip_norm: config.clip_norm,
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
