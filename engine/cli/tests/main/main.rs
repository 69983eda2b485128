//! The binary as a user meets it: real files, a real database, real processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod access;
mod approvals;
mod bad_input;
mod data;
mod experiments;
mod incremental;
mod models;
mod project;
mod releases;
mod remote;
mod secrets;
mod support;
mod tuning;
mod twin;
