//! Staging: rows and files become blobs, and a description of them that a commit can publish.

mod dataset;
mod delta;
mod model;

pub use dataset::DatasetWriter;
pub use delta::DeltaWriter;
pub use model::ModelWriter;
