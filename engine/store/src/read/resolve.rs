//! From a reference to the version it means.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream::BoxStream};

use crate::{
    Name, Reference, Selector, StoreError, VersionId,
    backend::{Backend, Versioned, bad, version_path},
    labels,
};

/// Manifests read at once.
const AT_ONCE: usize = 8;
/// Names offered where one is not found.
const OFFERED: usize = 10;

/// The highest version there is.
pub(crate) async fn head_number<M: Versioned>(
    backend: &Backend,
    name: &Name,
) -> Result<Option<u64>, StoreError> {
    Ok(backend.versions::<M>(name).await?.last().copied())
}

/// The version that is meant.
pub(crate) async fn resolve<M: Versioned>(
    backend: &Arc<Backend>,
    reference: &Reference,
) -> Result<Arc<M>, StoreError> {
    let name = &reference.name;
    let number = match &reference.selector {
        Selector::Number(number) => *number,
        Selector::Latest => match head_number::<M>(backend, name).await? {
            Some(number) => number,
            None => return Err(unknown_name::<M>(backend, name).await?),
        },
        Selector::Label(label) => match labels::get::<M>(backend, name, label).await? {
            Some(label) => label.version,
            None => return Err(unknown_label::<M>(backend, name, label).await?),
        },
    };
    match backend.manifest::<M>(name, number).await? {
        Some(manifest) => Ok(manifest),
        None => Err(unknown_version::<M>(backend, name, number).await?),
    }
}

/// The exact version, of the content given.
pub(crate) async fn exact<M: Versioned>(
    backend: &Arc<Backend>,
    id: &VersionId,
) -> Result<Arc<M>, StoreError> {
    let Some(manifest) = backend.manifest::<M>(&id.name, id.version).await? else {
        return Err(unknown_version::<M>(backend, &id.name, id.version).await?);
    };
    let found = manifest.id().hash;
    if found != id.hash {
        let reason = format!("its content hash is {found}, and {} was asked for", id.hash);
        return Err(bad(&version_path::<M>(&id.name, id.version), reason));
    }
    Ok(manifest)
}

/// All versions of all names, by name and number; one that cannot be read is an error item.
pub(crate) fn all<M: Versioned>(backend: &Arc<Backend>) -> BoxStream<'static, Result<Arc<M>, StoreError>> {
    let (listing, reading) = (Arc::clone(backend), Arc::clone(backend));
    let ids = futures::stream::once(async move { ids::<M>(&listing).await });
    let ids = ids
        .map_ok(|ids| futures::stream::iter(ids.into_iter().map(Ok)))
        .try_flatten();
    let read = move |id: Result<(Name, u64), StoreError>| {
        let backend = Arc::clone(&reading);
        async move {
            let (name, version) = id?;
            backend.manifest_uncached::<M>(&name, version).await
        }
    };
    ids.map(read)
        .buffered(AT_ONCE)
        .filter_map(|found| std::future::ready(found.transpose()))
        .boxed()
}

/// Names and numbers of all versions.
async fn ids<M: Versioned>(backend: &Backend) -> Result<Vec<(Name, u64)>, StoreError> {
    let mut ids = Vec::new();
    for name in backend.names::<M>().await? {
        let versions = backend.versions::<M>(&name).await?;
        ids.extend(versions.into_iter().map(|version| (name.clone(), version)));
    }
    Ok(ids)
}

async fn unknown_name<M: Versioned>(backend: &Backend, name: &Name) -> Result<StoreError, StoreError> {
    let names = backend.names::<M>().await?;
    let known: Vec<String> = names.iter().map(Name::to_string).collect();
    Ok(not_found(format!("{} {name}", M::WORD), name.as_str(), known))
}

async fn unknown_label<M: Versioned>(
    backend: &Backend,
    name: &Name,
    label: &str,
) -> Result<StoreError, StoreError> {
    if backend.versions::<M>(name).await?.is_empty() {
        return unknown_name::<M>(backend, name).await;
    }
    let known = labels::all::<M>(backend, name).await?.into_keys().collect();
    Ok(not_found(
        format!("{} {label} of {} {name}", M::LABEL_WORD, M::WORD),
        label,
        known,
    ))
}

async fn unknown_version<M: Versioned>(
    backend: &Backend,
    name: &Name,
    number: u64,
) -> Result<StoreError, StoreError> {
    let versions = backend.versions::<M>(name).await?;
    if versions.is_empty() {
        return unknown_name::<M>(backend, name).await;
    }
    let known = versions
        .iter()
        .rev()
        .map(|version| format!("{name}@{version}"))
        .take(OFFERED)
        .collect();
    Ok(StoreError::NotFound {
        what: format!("version {number} of {} {name}", M::WORD),
        known,
        suggestion: None,
    })
}

pub(crate) fn not_found(what: String, wanted: &str, known: Vec<String>) -> StoreError {
    let close = |name: &&String| strsim::damerau_levenshtein(wanted, name) <= (wanted.len() / 3).clamp(1, 3);
    let suggestion = known
        .iter()
        .filter(close)
        .min_by_key(|name| strsim::damerau_levenshtein(wanted, name))
        .cloned();
    StoreError::NotFound {
        what,
        known: known.into_iter().take(OFFERED).collect(),
        suggestion,
    }
}
