//! From a typed DAG to the tasks of a run.

mod types;

pub use types::*;
