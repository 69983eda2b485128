//! `promote`: points an alias at a model version, once a verdict (where there is one) allows it.

mod config;
mod run;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use run::{Promote, promotion};
