//! The operator `train`: pre-training of a small base model, and fine-tuning of any.
//!
//! `documents`, `rows` and `pairs` read datasets as streams, `tokens` keeps their tokens in a file, `order` and `batch`
//! make batches of them, `fit` is the loop over steps (`adamw`, `schedule`, `preference`, `memory`, `limit`, `speed`), `resume` keeps its
//! checkpoints, `pretrain` and `tune` are the ways in, `output` stages the model.

mod adamw;
pub mod base;
pub mod batch;
mod card;
pub mod documents;
mod eight_bit;
mod fit;
mod limit;
mod measure;
mod memory;
mod order;
mod output;
mod pairs;
mod preference;
mod pretrain;
pub mod random;
mod resume;
pub mod rows;
mod run;
mod schedule;
mod speed;
pub mod tokens;
mod tune;

#[cfg(test)]
mod tests;

pub use adamw::{AdamW, AdamWConfig};
pub use fit::{Curve, Fit, Point};
pub use measure::{Loss, losses};
pub use run::{TrainOperator, set_threads};
pub use schedule::LearningRate;
pub use speed::matrix_rate;
