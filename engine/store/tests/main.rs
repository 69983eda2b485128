//! The store from outside: one suite over every backend, and what each backend alone must show.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;
mod conformance;
