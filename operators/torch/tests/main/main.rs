//! The binary as the scheduler, the gateway and a person meet it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod commands;
mod cuda;
mod embed;
mod memory;
mod support;
mod train;
