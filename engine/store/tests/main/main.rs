//! The store from outside: one suite over every backend, and what each backend alone must show.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod collection;
mod common;
mod concurrency;
mod conformance;
mod damage;
mod exchange;
mod format;
mod hostile;
mod probe;
mod property;
mod s3;
mod writers;
