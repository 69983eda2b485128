//! Triggers: cursors on the durable log of events.
//!
//! Each is a pure machine ([`machine`]) over the log and the clock. What it decides is committed in one transaction with
//! the run that it starts, and only if nobody else has moved the trigger since it was read: a condition that the log
//! fulfils fires once, whenever the process dies and however many schedulers there are.

mod actor;
pub mod condition;
mod fire;
mod live;
mod machine;
pub mod schedule;
mod seen;
mod state;
mod status;
mod sync;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use actor::{Command, Triggers};
pub use condition::Condition;
