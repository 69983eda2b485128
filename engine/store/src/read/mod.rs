//! Reading versions: which one is meant, its rows, how two differ, a model's files.

mod checkout;
mod diff;
mod part;
mod resolve;
mod rows;

pub(crate) use checkout::checkout;
pub(crate) use diff::{changes, diff, rows_that_differ};
pub(crate) use part::{PartFile, filtered};
pub(crate) use resolve::{all, exact, head_number, resolve};
pub(crate) use rows::{rows, staged_rows};
