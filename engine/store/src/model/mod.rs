//! The store's plain types: names, references and manifests.

mod check;
mod manifest;
mod names;
mod schema;
mod stage;

pub(crate) use check::MAX_BUCKETS;
pub use manifest::*;
pub use names::*;
pub use schema::{schema_from_json, schema_to_json};
pub use stage::*;
