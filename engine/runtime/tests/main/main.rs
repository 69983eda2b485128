//! The scheduler on real parts: a store in a folder, SQLite, processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs,
    reason = "tests"
)]

mod approvals;
mod cache;
mod chaos;
mod crash;
mod dags;
mod failures;
mod flow;
mod index;
mod operators;
mod plans;
mod runs;
mod search;
mod support;
mod triggers;
