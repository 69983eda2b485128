//! The feature store: versioned Parquet datasets and model versions on object storage.
//!
//! Writers stage (blobs that nothing refers to yet); a commit puts the manifest with put-if-absent, and that alone makes
//! a version. Readers therefore see whole versions or none, whatever crashes.

mod backend;
mod care;
mod commit;
mod error;
mod exchange;
mod labels;
mod location;
mod model;
mod read;
mod store;
pub mod vectors;
mod write;

pub use care::{
    GcOptions, GcReport, Lineage, LineageEdge, LineageNode, Problem, ProblemKind, VerifyProgress,
    VerifyReport, VersionKey,
};
pub use error::{Cause, StoreError};
pub use exchange::{ExportFormat, ExportReport, printable};
pub use location::StoreLocation;
pub use model::*;
pub use store::FeatureStore;
pub use write::{DatasetWriter, DeltaWriter, ModelWriter, writer_properties};
