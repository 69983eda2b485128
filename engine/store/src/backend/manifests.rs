//! Reading and writing manifests: bounded, checked, cached, and put once.

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{ObjectStoreExt, PutMode, PutOptions, path::Path};
use serde::{Serialize, de::DeserializeOwned};

use super::{Backend, layout};
use crate::{ArtifactKind, DatasetManifest, FORMAT, ModelManifest, Name, StoreError, VersionId};

/// A manifest above this is neither read nor written; one of the most buckets and some 50 columns is half of it.
const MAX_MANIFEST: u64 = 256 << 20;
/// Manifests kept in memory, of each kind.
const CACHED: usize = 32;

/// What dataset and model manifests have in common.
pub(crate) trait Versioned:
    Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The folder of all of them.
    const ROOT: &'static str;
    /// The folder of their labels.
    const LABELS: &'static str;
    /// `dataset` or `model`.
    const WORD: &'static str;
    const KIND: ArtifactKind;
    /// `tag` or `alias`.
    const LABEL_WORD: &'static str;
    fn id(&self) -> VersionId;
    fn task_key(&self) -> Option<&str>;
    fn nonce(&self) -> &str;
    fn created_at(&self) -> jiff::Timestamp;
    /// What it was made from.
    fn inputs(&self) -> &[crate::InputVersion];
    /// The blobs it needs.
    fn blobs(&self) -> Vec<&crate::BlobRef>;
    /// The version of the same kind that it is of no use without.
    fn base(&self) -> Option<VersionId> {
        None
    }
    /// Refuses numbers and names that cannot be right.
    fn check(&self) -> Result<(), String>;
    fn cache(backend: &Backend) -> &Cache<Self>;
}

/// Manifests never change, so a small memory of them needs no invalidation; one that gc took away is asked for no more.
#[derive(Debug)]
pub(crate) struct Cache<M>(Mutex<CacheMap<M>>);

type CacheMap<M> = HashMap<(Name, u64), Arc<M>>;

impl<M> Default for Cache<M> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<M> Cache<M> {
    fn with<R>(&self, f: impl FnOnce(&mut CacheMap<M>) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Backend {
    /// Names under the kind's root that have a version.
    pub(crate) async fn names<M: Versioned>(&self) -> Result<Vec<Name>, StoreError> {
        let root = Path::from(M::ROOT);
        let list = self.objects.list_with_delimiter(Some(&root)).await;
        let list = list.map_err(|error| StoreError::backend(format!("list {root}"), error))?;
        let candidates = list
            .common_prefixes
            .iter()
            .filter_map(|path| Name::new(path.filename()?).ok());
        let mut names = Vec::new();
        for name in candidates {
            // A folder whose first commit never came is no dataset.
            if !self.versions::<M>(&name).await?.is_empty() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Version numbers, ascending.
    pub(crate) async fn versions<M: Versioned>(&self, name: &Name) -> Result<Vec<u64>, StoreError> {
        let mut versions = self.numbered(&layout::versions_path::<M>(name)).await?;
        versions.sort_unstable();
        Ok(versions)
    }

    /// Numbers of the files `<12 digits>.json` in a folder.
    pub(crate) async fn numbered(&self, folder: &Path) -> Result<Vec<u64>, StoreError> {
        self.objects
            .list(Some(folder))
            .try_filter_map(async |meta| Ok(meta.location.filename().and_then(layout::version_of)))
            .try_collect()
            .await
            .map_err(|error| StoreError::backend(format!("list {folder}"), error))
    }

    /// The manifest, or `None` where there is no such version.
    pub(crate) async fn manifest<M: Versioned>(
        &self,
        name: &Name,
        version: u64,
    ) -> Result<Option<Arc<M>>, StoreError> {
        let key = (name.clone(), version);
        if let Some(known) = M::cache(self).with(|cache| cache.get(&key).cloned()) {
            return Ok(Some(known));
        }
        let Some(manifest) = self.manifest_uncached::<M>(name, version).await? else {
            return Ok(None);
        };
        M::cache(self).with(|cache| {
            if cache.len() >= CACHED {
                cache.clear();
            }
            cache.insert(key, Arc::clone(&manifest));
        });
        Ok(Some(manifest))
    }

    /// The same past the memory, which a walk over all versions must not sweep out.
    pub(crate) async fn manifest_uncached<M: Versioned>(
        &self,
        name: &Name,
        version: u64,
    ) -> Result<Option<Arc<M>>, StoreError> {
        let path = layout::version_path::<M>(name, version);
        let Some(manifest) = self.manifest_at::<M>(&path).await? else {
            return Ok(None);
        };
        let id = manifest.id();
        if id.name != *name || id.version != version {
            return Err(bad(&path, format!("it says that it is {id}")));
        }
        Ok(Some(Arc::new(manifest)))
    }

    /// Writes a manifest unless one with its number is there; says whether this one stands.
    pub(crate) async fn put_manifest<M: Versioned>(&self, manifest: &M) -> Result<bool, StoreError> {
        manifest.check().map_err(StoreError::internal)?;
        let VersionId { name, version, .. } = manifest.id();
        let path = layout::version_path::<M>(&name, version);
        let json = serde_json::to_vec(manifest).map_err(StoreError::internal)?;
        if json.len() as u64 > MAX_MANIFEST {
            let reason = format!("it has {} bytes; the bound is {MAX_MANIFEST}", json.len());
            return Err(StoreError::TooLarge {
                what: format!("the manifest of {name}"),
                reason,
            });
        }
        let options = PutOptions {
            mode: PutMode::Create,
            ..Default::default()
        };
        match self
            .durable
            .put_opts(&path, Bytes::from(json).into(), options)
            .await
        {
            Ok(_) => Ok(true),
            // A repeated request after a lost answer meets its own manifest.
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                let standing = self.manifest::<M>(&name, version).await?;
                Ok(standing.is_some_and(|standing| standing.nonce() == manifest.nonce()))
            }
            Err(error) => Err(StoreError::backend(format!("write {path}"), error)),
        }
    }

    /// An object of at most `limit` bytes; `None` where there is none.
    pub(crate) async fn small_object(&self, path: &Path, limit: u64) -> Result<Option<Bytes>, StoreError> {
        let failed = |error| StoreError::backend(format!("read {path}"), error);
        let found = match self.objects.get(path).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if found.meta.size > limit {
            return Err(bad(
                path,
                format!("it has {} bytes; the bound is {limit}", found.meta.size),
            ));
        }
        found.bytes().await.map(Some).map_err(failed)
    }

    /// Reads a manifest at a path of its own (a retired one).
    pub(crate) async fn manifest_at<M: Versioned>(&self, path: &Path) -> Result<Option<M>, StoreError> {
        let Some(bytes) = self.small_object(path, MAX_MANIFEST).await? else {
            return Ok(None);
        };
        parse(path, &bytes).map(Some)
    }

    /// Forgets a version that was taken away.
    pub(crate) fn forget<M: Versioned>(&self, name: &Name, version: u64) {
        M::cache(self).with(|cache| cache.remove(&(name.clone(), version)));
    }
}

fn parse<M: Versioned>(path: &Path, bytes: &[u8]) -> Result<M, StoreError> {
    #[derive(serde::Deserialize)]
    struct Head {
        format: u64,
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|error| bad(path, error))?;
    if head.format > u64::from(FORMAT) {
        return Err(StoreError::NewerFormat {
            path: path.to_string(),
            format: head.format,
        });
    }
    if head.format == 0 {
        return Err(bad(path, "format 0"));
    }
    let manifest: M = serde_json::from_slice(bytes).map_err(|error| bad(path, error))?;
    manifest.check().map_err(|reason| bad(path, reason))?;
    Ok(manifest)
}

pub(crate) fn bad(path: &Path, reason: impl std::fmt::Display) -> StoreError {
    StoreError::BadManifest {
        path: path.to_string(),
        reason: reason.to_string(),
    }
}

/// What both manifests answer from the fields that they share.
macro_rules! common_fields {
    () => {
        fn id(&self) -> VersionId {
            self.id()
        }
        fn task_key(&self) -> Option<&str> {
            self.task_key.as_deref()
        }
        fn nonce(&self) -> &str {
            &self.nonce
        }
        fn created_at(&self) -> jiff::Timestamp {
            self.created_at
        }
        fn inputs(&self) -> &[crate::InputVersion] {
            &self.data.inputs
        }
        fn check(&self) -> Result<(), String> {
            self.data.check()
        }
    };
}

impl Versioned for DatasetManifest {
    const ROOT: &'static str = "datasets";
    const LABELS: &'static str = "tags";
    const WORD: &'static str = "dataset";
    const KIND: ArtifactKind = ArtifactKind::Dataset;
    const LABEL_WORD: &'static str = "tag";
    common_fields!();
    fn blobs(&self) -> Vec<&crate::BlobRef> {
        self.data.parts.iter().map(|part| &part.blob).collect()
    }
    fn cache(backend: &Backend) -> &Cache<Self> {
        &backend.datasets
    }
}

impl Versioned for ModelManifest {
    const ROOT: &'static str = "models";
    const LABELS: &'static str = "aliases";
    const WORD: &'static str = "model";
    const KIND: ArtifactKind = ArtifactKind::Model;
    const LABEL_WORD: &'static str = "alias";
    common_fields!();
    fn blobs(&self) -> Vec<&crate::BlobRef> {
        self.data.files.values().collect()
    }
    fn base(&self) -> Option<VersionId> {
        self.data.base.clone()
    }
    fn cache(backend: &Backend) -> &Cache<Self> {
        &backend.models
    }
}
