//! Reading versions: which one is meant, its rows, how two differ, a model's files.

use crate::backend::{Backend, Versioned};
use crate::*;
use arrow::record_batch::RecordBatch;
use futures::{StreamExt, stream::BoxStream};
use std::{path::Path, sync::Arc};

pub(crate) async fn resolve<M: Versioned>(_: &Arc<Backend>, _: &Reference) -> Result<Arc<M>, StoreError> {
    Err(StoreError::internal("not built"))
}
pub(crate) async fn exact<M: Versioned>(_: &Arc<Backend>, _: &VersionId) -> Result<Arc<M>, StoreError> {
    Err(StoreError::internal("not built"))
}
pub(crate) fn rows(_: &Arc<Backend>, _: &DatasetManifest, _: ReadOptions) -> BoxStream<'static, Result<RecordBatch, StoreError>> {
    futures::stream::empty().boxed()
}
pub(crate) async fn diff(_: &Arc<Backend>, _: &StagedDataset, _: &StagedDataset) -> Result<Diff, StoreError> {
    Err(StoreError::internal("not built"))
}
pub(crate) fn all<M: Versioned>(_: &Arc<Backend>) -> BoxStream<'static, Result<Arc<M>, StoreError>> {
    futures::stream::empty().boxed()
}
pub(crate) async fn checkout(_: &Arc<Backend>, _: &ModelManifest, _: &Path) -> Result<(), StoreError> {
    Err(StoreError::internal("not built"))
}
