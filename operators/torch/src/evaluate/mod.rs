//! The operator `evaluate`: a candidate against its base and production, on held-out rows.
//!
//! `sample` picks rows, `leakage` looks for held-out text in training text, `control` and `ability` bring what the author
//! did not write, `subject` finds the models, `measure` runs them (one at a time), `statistics`, `style` and `memorisation`
//! make figures, `gate` decides, `figures` and `report` write it down.

pub mod ability;
pub mod bootstrap;
mod control;
mod figures;
mod gate;
pub mod leakage;
mod measure;
pub mod memorisation;
mod report;
mod run;
mod sample;
mod statistics;
pub mod style;
mod subject;

#[cfg(test)]
mod tests;

pub use gate::{Check, Verdict, decide};
pub use run::EvaluateOperator;
