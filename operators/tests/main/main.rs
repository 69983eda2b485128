//! Tests over the crate as a whole: that every operator is complete, and that dependencies point one way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod architecture;
mod tidy;
