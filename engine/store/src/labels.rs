//! Tags of datasets and aliases of models.
use crate::backend::{Backend, Versioned};
use crate::*;
use std::{collections::BTreeMap, sync::Arc};

pub(crate) async fn set<M: Versioned>(_: &Arc<Backend>, _: &Name, _: &str, _: Label) -> Result<(), StoreError> {
    Err(StoreError::internal("not built"))
}
pub(crate) async fn all<M: Versioned>(_: &Arc<Backend>, _: &Name) -> Result<BTreeMap<String, Label>, StoreError> {
    Err(StoreError::internal("not built"))
}
pub(crate) async fn remove<M: Versioned>(_: &Arc<Backend>, _: &Name, _: &str) -> Result<(), StoreError> {
    Err(StoreError::internal("not built"))
}
