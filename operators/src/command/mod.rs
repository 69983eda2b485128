//! `command`: runs any program as a step, by the worker protocol or as it is.

mod config;
mod lines;
mod outputs;
mod ports;
mod process;
mod run;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use run::Command;
