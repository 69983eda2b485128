//! Staging: rows and files become blobs, and a description of them that a commit can publish.

mod assemble;
mod dataset;
mod delta;
mod encode;
mod fit;
mod keys;
mod model;
mod ordered;
mod sink;
mod spill;
mod stats;

pub use dataset::DatasetWriter;
pub use delta::DeltaWriter;
pub use encode::writer_properties;
pub use model::ModelWriter;

pub(crate) use assemble::all_added;
pub(crate) use dataset::parallel;
pub(crate) use encode::value_bytes;
pub(crate) use fit::difference;
pub(crate) use keys::{bucket_of, entity_hash};
