#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod bases;
mod loops;
mod methods;
mod operator;
mod parts;
mod preferences;
mod resume;
