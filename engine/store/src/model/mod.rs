//! The store's plain types: names, references and manifests.

mod manifest;
mod names;

pub use manifest::*;
pub use names::*;
