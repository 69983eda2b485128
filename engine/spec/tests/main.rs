//! The YAML language from outside: files in, plans or errors out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod broken;
mod catalog;
mod format;
mod limits;
mod plans;
mod project_files;
mod properties;
mod schema;
