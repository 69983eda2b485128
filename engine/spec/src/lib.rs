//! YAML text to a spanned tree, a typed spec and a validated plan. Pure: no I/O, no clock, no tokio.

mod catalog;
mod plan;

pub use catalog::*;
pub use plan::*;
