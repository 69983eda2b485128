//! The operator `train`: pre-training of a small base model, and LoRA fine-tuning.
//!
//! `documents` and `rows` read datasets as streams, `tokens` keeps their tokens in a file, `order` and `batch` make
//! batches of them, `fit` is the loop over steps, `pretrain` and `lora` are the two methods, `output` stages the model.

mod adamw;
pub mod base;
pub mod batch;
mod card;
pub mod documents;
mod fit;
mod lora;
mod measure;
mod order;
mod output;
mod pretrain;
pub mod random;
pub mod rows;
mod run;
mod schedule;
pub mod tokens;

#[cfg(test)]
mod tests;

pub use adamw::{AdamW, AdamWConfig};
pub use fit::{Curve, Fit, Point};
pub use measure::{Loss, losses};
pub use run::{TrainOperator, set_threads};
pub use schedule::LearningRate;
