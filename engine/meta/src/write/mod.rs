//! Writing: changes become batches of rows, batches become one statement each.

mod apply;
mod batch;
mod cells;
pub mod forget;
mod guards;
pub mod index;
pub mod lease;
mod rows;
mod sql;
mod tables;

pub use apply::{Batches, check_fence};
