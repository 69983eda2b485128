//! The course of the learning rate.

use std::f64::consts::PI;

use twinloom_operators::train::Schedule;

/// Cosine goes down to this share of the highest rate.
const COSINE_END: f64 = 0.1;

/// Learning rate by step.
#[derive(Debug, Clone, Copy)]
pub struct LearningRate {
    highest: f64,
    steps: u64,
    warmup: u64,
    schedule: Schedule,
}

impl LearningRate {
    /// Rises over `warmup` (a share of `steps`), then follows the schedule.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count of steps"
    )]
    pub fn new(highest: f64, steps: u64, warmup: f64, schedule: Schedule) -> Self {
        Self {
            highest,
            steps,
            warmup: (steps as f64 * warmup).round() as u64,
            schedule,
        }
    }

    /// The rate of a step, from 0.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a count of steps is far below 2^52")]
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.highest * (step + 1) as f64 / self.warmup as f64;
        }
        let rest = self.steps.saturating_sub(self.warmup).max(1);
        let done = ((step - self.warmup) as f64 / rest as f64).min(1.0);
        self.highest
            * match self.schedule {
                Schedule::Constant => 1.0,
                Schedule::Linear => 1.0 - done,
                Schedule::Cosine => COSINE_END + (1.0 - COSINE_END) * 0.5 * (1.0 + (PI * done).cos()),
            }
    }
}
