//! The online half of the feature store: vectors that can be searched while pipelines go on.
//!
//! One trait, [`VectorIndex`]; behind it the [embedded index](EmbeddedIndex), an exact scan over memory-mapped files
//! (why: `README.md` beside this file). A collection is derived data: [`sync()`] brings it to a version of a dataset of
//! embedded chunks, by difference where it can and from nothing where it must, so that a lost one heals.

mod embedded;
mod error;
mod rows;
mod sync;
#[cfg(test)]
mod tests;
mod types;

use async_trait::async_trait;

use crate::VersionId;

pub use embedded::{EmbeddedIndex, open_embedded};
pub use error::VectorError;
pub use sync::{SyncMode, SyncReport, sync, sync_index};
pub use types::{Filter, Hit, IndexState, Metric, VectorRecord};

/// A collection of vectors with payloads. Changes are seen by [`search`](Self::search) and [`state`](Self::state) once
/// they are committed, all at once; changes that are never committed leave nothing behind.
#[async_trait]
pub trait VectorIndex: Send + Sync {
    /// Adds records; one with the id of another replaces it.
    ///
    /// # Errors
    /// `vectors.dimension`, `vectors.not_finite`, `vectors.too_large`, `vectors.busy`; those of the backend.
    async fn upsert(&self, records: Vec<VectorRecord>) -> Result<(), VectorError>;

    /// Removes all records of these entities, those of this change included; unknown ones are fine.
    ///
    /// # Errors
    /// `vectors.busy`; those of the backend.
    async fn delete_entities(&self, entities: &[String]) -> Result<(), VectorError>;

    /// Removes everything; the next record may have another dimension.
    ///
    /// # Errors
    /// `vectors.busy`; those of the backend.
    async fn clear(&self) -> Result<(), VectorError>;

    /// Forgets changes that are not committed.
    ///
    /// # Errors
    /// Those of the backend.
    async fn discard(&self) -> Result<(), VectorError>;

    /// Makes the changes visible and durable, and notes which dataset version the collection now reflects.
    ///
    /// # Errors
    /// Those of the backend; what was committed before stays.
    async fn commit(&self, source: VersionId) -> Result<(), VectorError>;

    /// The `k` records most similar to the query (cosine), best first; equal ones in the order of their ids' hashes.
    ///
    /// # Errors
    /// `vectors.dimension`, `vectors.not_finite`, `vectors.corrupt`; those of the backend.
    async fn search(&self, query: &[f32], k: usize, filter: Option<&Filter>)
    -> Result<Vec<Hit>, VectorError>;

    /// What is committed.
    ///
    /// # Errors
    /// `vectors.corrupt`; those of the backend.
    async fn state(&self) -> Result<IndexState, VectorError>;
}
