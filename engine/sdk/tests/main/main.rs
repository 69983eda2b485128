//! The SDK against a real store: row-wise operators, the worker's words, secrets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod protocol;
mod rowwise;
mod serving;
mod support;
