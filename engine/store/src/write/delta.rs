//! The writer of changes.
use crate::{DatasetManifest, FeatureStore, StageDataset, StagedDataset, StoreError};
use arrow::record_batch::RecordBatch;
use serde_json::Value;
use std::sync::Arc;

/// Writes changes to a base version: entities to remove, and rows to add. Only the buckets they fall in are rewritten.
#[derive(Debug)]
pub struct DeltaWriter {}

impl DeltaWriter {
    pub(crate) fn new(_store: FeatureStore, _spec: StageDataset, _base: Arc<DatasetManifest>) -> Self {
        Self {}
    }

    /// Removes all rows of an entity that the base has; one that it has not is no error.
    ///
    /// # Errors
    /// None at present; kept for spilling.
    pub async fn remove(&mut self, _entity_key: &str) -> Result<(), StoreError> {
        Err(StoreError::internal("not built"))
    }

    /// Adds rows of new entities, or of changed ones that were removed first.
    ///
    /// # Errors
    /// `store.schema_mismatch`, `store.null_key`, `store.key_column`, `store.disk_full`.
    pub async fn write(&mut self, _batch: RecordBatch) -> Result<(), StoreError> {
        Err(StoreError::internal("not built"))
    }

    /// Adds a figure of this version.
    pub fn set_metric(&mut self, _name: &str, _value: impl Into<Value>) {}

    /// Records whether a check held.
    pub fn set_check(&mut self, _name: &str, _held: bool) {}

    /// Merges the changes into the touched buckets and describes the whole.
    ///
    /// # Errors
    /// `store.duplicate_key` where a full key is there twice; `store.schema_mismatch` where the base has another schema
    /// or other keys; those of reading the base.
    pub async fn finish(self) -> Result<StagedDataset, StoreError> {
        Err(StoreError::internal("not built"))
    }
}
