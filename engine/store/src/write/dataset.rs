//! The writer of whole datasets.
use crate::{FeatureStore, StageDataset, StagedDataset, StoreError};
use arrow::record_batch::RecordBatch;
use serde_json::Value;

/// Writes a whole dataset, in bounded memory.
#[derive(Debug)]
pub struct DatasetWriter {}

impl DatasetWriter {
    pub(crate) fn new(_store: FeatureStore, _spec: StageDataset) -> Self {
        Self {}
    }

    /// Adds rows.
    ///
    /// # Errors
    /// `store.schema_mismatch`, `store.null_key`, `store.key_column`, `store.disk_full`; those of the backend.
    pub async fn write(&mut self, _batch: RecordBatch) -> Result<(), StoreError> {
        Err(StoreError::internal("not built"))
    }

    /// Adds a figure of this version.
    pub fn set_metric(&mut self, _name: &str, _value: impl Into<Value>) {}

    /// Records whether a check held.
    pub fn set_check(&mut self, _name: &str, _held: bool) {}

    /// Rows written so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        0
    }

    /// Sorts, encodes and stores what is left, and describes the whole.
    ///
    /// # Errors
    /// `store.duplicate_key` naming the key; as [`Self::write`].
    pub async fn finish(self) -> Result<StagedDataset, StoreError> {
        Err(StoreError::internal("not built"))
    }
}
