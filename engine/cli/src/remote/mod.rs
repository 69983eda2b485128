//! Commands against a server (`--server URL --token TOKEN`), by its REST API.

mod client;
mod commands;
mod data;
mod spec;

pub use client::Remote;
pub use commands::{all, dispatch, done, table};
