//! Looking after a store: checking it, cleaning it, and telling where things come from.

mod report;

pub use report::*;

use crate::backend::Backend;
use crate::*;
use std::sync::Arc;

pub(crate) async fn verify(_: &Arc<Backend>, _: &(impl Fn(VerifyProgress) + Send + Sync)) -> Result<VerifyReport, StoreError> {
    Err(StoreError::internal("not built"))
}
pub(crate) async fn gc(_: &Arc<Backend>, _: &GcOptions) -> Result<GcReport, StoreError> {
    Err(StoreError::internal("not built"))
}
pub(crate) async fn lineage(_: &FeatureStore, _: ArtifactKind, _: &VersionId) -> Result<Lineage, StoreError> {
    Err(StoreError::internal("not built"))
}
