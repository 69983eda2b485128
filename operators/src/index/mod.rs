//! `index`: keeps a collection of the vector index in step with a dataset of embedded chunks.

mod config;
mod run;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use run::{Index, state};
