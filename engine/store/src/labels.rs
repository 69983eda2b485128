//! Tags of datasets and aliases of models: small files that move.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{ObjectStoreExt, path::Path};

use crate::{
    Label, Name, Reference, Selector, StoreError,
    backend::{Backend, Versioned, bad, check_label, label_path, labels_path},
    read,
};

/// A label file above this is none.
const MAX_LABEL: u64 = 64 << 10;

/// Points a label at a version that exists.
pub(crate) async fn set<M: Versioned>(
    backend: &std::sync::Arc<Backend>,
    name: &Name,
    label: &str,
    mut target: Label,
) -> Result<(), StoreError> {
    check_label(label)?;
    // The version must be there; the error says what is.
    let reference = Reference {
        name: name.clone(),
        selector: Selector::Number(target.version),
    };
    read::resolve::<M>(backend, &reference).await?;
    if target.previous.is_none() {
        let before = get::<M>(backend, name, label).await?;
        // Setting the same again keeps what was before the move.
        target.previous = before.and_then(|b| {
            if b.version == target.version {
                b.previous
            } else {
                Some(b.version)
            }
        });
    }
    let path = label_path::<M>(name, label);
    let json = serde_json::to_vec_pretty(&target).map_err(StoreError::internal)?;
    let put = backend.durable().put(&path, Bytes::from(json).into()).await;
    put.map(|_| ())
        .map_err(|error| StoreError::backend(format!("write {path}"), error))
}

/// One label.
pub(crate) async fn get<M: Versioned>(
    backend: &Backend,
    name: &Name,
    label: &str,
) -> Result<Option<Label>, StoreError> {
    check_label(label)?;
    read_label(backend, &label_path::<M>(name, label)).await
}

/// All labels of a name.
pub(crate) async fn all<M: Versioned>(
    backend: &Backend,
    name: &Name,
) -> Result<BTreeMap<String, Label>, StoreError> {
    let mut labels = BTreeMap::new();
    for label in names::<M>(backend, name).await? {
        if let Some(target) = get::<M>(backend, name, &label).await? {
            labels.insert(label, target);
        }
    }
    Ok(labels)
}

/// The labels' own names, sorted.
pub(crate) async fn names<M: Versioned>(backend: &Backend, name: &Name) -> Result<Vec<String>, StoreError> {
    let folder = labels_path::<M>(name);
    let listed = backend
        .objects()
        .list(Some(&folder))
        .try_collect::<Vec<_>>()
        .await;
    let listed = listed.map_err(|error| StoreError::backend(format!("list {folder}"), error))?;
    let label = |path: &Path| {
        path.filename()
            .and_then(|file| file.strip_suffix(".json"))
            .map(str::to_owned)
    };
    let mut labels: Vec<String> = listed.iter().filter_map(|meta| label(&meta.location)).collect();
    labels.retain(|label| check_label(label).is_ok());
    labels.sort_unstable();
    Ok(labels)
}

/// Removes a label that exists.
pub(crate) async fn remove<M: Versioned>(
    backend: &Backend,
    name: &Name,
    label: &str,
) -> Result<(), StoreError> {
    if get::<M>(backend, name, label).await?.is_none() {
        let known = all::<M>(backend, name).await?.into_keys().collect();
        let what = format!("{} {label} of {} {name}", M::LABEL_WORD, M::WORD);
        return Err(StoreError::NotFound {
            what,
            known,
            suggestion: None,
        });
    }
    let path = label_path::<M>(name, label);
    match backend.durable().delete(&path).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(StoreError::backend(format!("delete {path}"), error)),
    }
}

async fn read_label(backend: &Backend, path: &Path) -> Result<Option<Label>, StoreError> {
    let Some(bytes) = backend.small_object(path, MAX_LABEL).await? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| bad(path, error))
}
