//! One suite over every database.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod accounts;
mod approvals;
mod artifacts;
mod backends;
mod events;
mod hostile;
mod leases;
mod processes;
mod runs;
mod sample;
mod speed;
mod tasks;
