//! Publishing: the one write that makes a version.
use crate::{
    Commit, Committed, DatasetManifest, FeatureStore, ModelManifest, StagedDataset, StagedModel, StoreError,
};

pub(crate) async fn dataset(_: &FeatureStore, _: StagedDataset, _: Commit) -> Result<Committed<DatasetManifest>, StoreError> {
    Err(StoreError::internal("not built"))
}
pub(crate) async fn model(_: &FeatureStore, _: StagedModel, _: Commit) -> Result<Committed<ModelManifest>, StoreError> {
    Err(StoreError::internal("not built"))
}
