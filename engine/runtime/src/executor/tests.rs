//! Real children: shell and Python scripts that speak the protocol, or do not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod inline;
mod orphans;
mod overhead;
mod processes;
mod support;
