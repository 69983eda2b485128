//! `approve`: asks a person, on evidence, and holds no worker meanwhile.

mod config;
mod evidence;
mod run;
#[cfg(test)]
pub(crate) mod tests;
mod verdict;

pub use config::{Config, OnReject};
pub use run::Approve;
pub use verdict::{Verdict, verdict};
