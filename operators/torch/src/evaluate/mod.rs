//! The operator `evaluate`: a candidate against its base and production, on held-out rows.
//!
//! `sample` picks rows, `leakage` looks for held-out text in training text, `subject` finds the models, `measure` runs
//! them, `bootstrap`, `style` and `memorisation` make figures, `gate` decides, `report` writes it down.

pub mod bootstrap;
mod gate;
pub mod leakage;
mod measure;
pub mod memorisation;
mod report;
mod run;
mod sample;
pub mod style;
mod subject;

#[cfg(test)]
mod tests;

pub use gate::{Check, Verdict, decide};
pub use run::EvaluateOperator;
