//! The operators, and the registry that lists them.

pub mod split;
