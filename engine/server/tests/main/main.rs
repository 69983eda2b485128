//! The server as its callers see it: real requests to a real server over a real home.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod document;
mod interrupted;
mod live;
mod notify;
mod otlp;
mod queue;
mod resources;
mod roles;
mod safety;
mod support;
mod told;
