//! The feature store: versioned Parquet datasets and model versions on object storage.

mod error;
mod model;

pub use error::StoreError;
pub use model::*;
