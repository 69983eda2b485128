//! `instruct`: pairs of instruction and answer from the author's own text.

mod config;
mod cut;
mod decontaminate;
mod pairs;
mod rows;
mod run;
mod survey;
mod templates;
#[cfg(test)]
mod tests;

pub use config::{Category, Config, Decontaminate, NearDuplicates, SplitBy, SplitConfig};
pub use pairs::{Document, Pair, pairs};
pub use run::Instruct;
pub use templates::Kind;
