//! What every request meets on its way: limits, checks, errors, extractors.

pub mod extract;
pub mod guard;
pub mod idempotency;
pub mod page;
pub mod problem;
pub mod rate;
