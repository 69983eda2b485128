//! Looking after a store: checking it, cleaning it, and telling where things come from.

mod gc;
mod lineage;
mod report;
mod retention;
mod verify;

pub(crate) use gc::gc;
pub(crate) use lineage::lineage;
pub use report::*;
pub(crate) use verify::verify;
