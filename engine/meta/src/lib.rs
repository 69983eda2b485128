//! Metadata in SQL: runs, tasks, attempts, events, approvals.
//!
//! Plain rows go in ([`Change`]) and come out; nothing of sea-orm shows. The object store is the truth about
//! artifacts, this database only their index; of runs, events and decisions it is the truth.

mod connect;
mod entity;
mod error;
mod meta;
mod migration;
mod model;
mod read;
mod write;

pub use error::MetaError;
pub use meta::Meta;
pub use model::*;
