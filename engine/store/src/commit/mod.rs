//! Publishing: the one write that makes a version.
//!
//! A version is made by putting its manifest at the number after the head, if nothing is there. Whoever loses looks at
//! what won and decides anew: the same task's version is adopted, the same content is no change, anything else is the
//! new parent.

use std::sync::Arc;

use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;

use crate::{
    Commit, CommitOutcome, Committed, DatasetManifest, FORMAT, FeatureStore, ModelManifest, Name,
    StagedDataset, StagedModel, StoreError,
    backend::{Backend, Versioned, random_hex},
    read, write,
};

/// Lost races after which a commit gives up; every loss means that another publisher got through.
const RACES: usize = 1000;
/// Versions looked through for a task key where the commit says nothing about time.
const LOOK_BACK: usize = 64;

pub(crate) async fn dataset(
    store: &FeatureStore,
    staged: StagedDataset,
    commit: Commit,
) -> Result<Committed<DatasetManifest>, StoreError> {
    staged
        .check()
        .map_err(|reason| refused("dataset", &staged.name, reason))?;
    let (name, hash) = (staged.name.clone(), staged.content_hash.clone());
    let (backend, staged, given) = (Arc::clone(&store.backend), Arc::new(staged), commit.clone());
    let make = move |version, head: Option<Arc<DatasetManifest>>| {
        dataset_manifest(
            Arc::clone(&backend),
            Arc::clone(&staged),
            given.clone(),
            version,
            head,
        )
        .boxed()
    };
    publish(&store.backend, &name, &hash, &commit, &make).await
}

pub(crate) async fn model(
    store: &FeatureStore,
    staged: StagedModel,
    commit: Commit,
) -> Result<Committed<ModelManifest>, StoreError> {
    staged
        .check()
        .map_err(|reason| refused("model", &staged.name, reason))?;
    let (name, hash) = (staged.name.clone(), staged.content_hash.clone());
    let given = commit.clone();
    let make = move |version, _: Option<Arc<ModelManifest>>| {
        let (Commit { task_key, now, .. }, data) = (given.clone(), staged.clone());
        let manifest = ModelManifest {
            format: FORMAT,
            version,
            created_at: now,
            task_key,
            nonce: random_hex(),
            data,
        };
        std::future::ready(Ok(manifest)).boxed()
    };
    publish(&store.backend, &name, &hash, &commit, &make).await
}

/// The manifest on top of a head, its changes told against that very head.
async fn dataset_manifest(
    backend: Arc<Backend>,
    staged: Arc<StagedDataset>,
    commit: Commit,
    version: u64,
    head: Option<Arc<DatasetManifest>>,
) -> Result<DatasetManifest, StoreError> {
    let mut data = staged.as_ref().clone();
    let parent = head.as_ref().map(|head| head.version);
    if data.base != parent || data.changes.is_none() {
        data.changes = Some(match &head {
            Some(head) => read::changes(&backend, &head.data, &data).await?,
            None => write::all_added(&data),
        });
        data.base = parent;
    }
    let Commit { task_key, now, .. } = commit;
    Ok(DatasetManifest {
        format: FORMAT,
        version,
        parent,
        created_at: now,
        task_key,
        nonce: random_hex(),
        data,
    })
}

/// Makes the manifest of a version on top of a head. Boxed, since a future of a closure cannot be said to be `Send`.
type Make<M> = dyn Fn(u64, Option<Arc<M>>) -> BoxFuture<'static, Result<M, StoreError>> + Send + Sync;

/// The latest version.
pub(crate) async fn head<M: Versioned>(backend: &Backend, name: &Name) -> Result<Option<Arc<M>>, StoreError> {
    match read::head_number::<M>(backend, name).await? {
        Some(number) => backend.manifest(name, number).await,
        None => Ok(None),
    }
}

async fn publish<M: Versioned>(
    backend: &Backend,
    name: &Name,
    hash: &str,
    commit: &Commit,
    make: &Make<M>,
) -> Result<Committed<M>, StoreError> {
    // Versions up to this one are known not to be this task's.
    let mut looked_at = None;
    for _ in 0..RACES {
        let head = head::<M>(backend, name).await?;
        if let Some(head) = &head {
            if let Some(manifest) = adoptable::<M>(backend, name, head, commit, looked_at).await? {
                return Ok(Committed {
                    manifest,
                    outcome: CommitOutcome::Adopted,
                });
            }
            if head.id().hash == hash {
                return Ok(Committed {
                    manifest: Arc::clone(head),
                    outcome: CommitOutcome::Unchanged,
                });
            }
            looked_at = Some(head.id().version);
        }
        let version = head.as_ref().map_or(1, |head| head.id().version + 1);
        let manifest = make(version, head).await?;
        if backend.put_manifest(&manifest).await? {
            return Ok(Committed {
                manifest: Arc::new(manifest),
                outcome: CommitOutcome::New,
            });
        }
    }
    Err(StoreError::Contended {
        name: name.to_string(),
    })
}

/// The version that an earlier attempt of the same task made.
async fn adoptable<M: Versioned>(
    backend: &Backend,
    name: &Name,
    head: &Arc<M>,
    commit: &Commit,
    looked_at: Option<u64>,
) -> Result<Option<Arc<M>>, StoreError> {
    let Some(key) = commit.task_key.as_deref() else {
        return Ok(None);
    };
    let mut versions = backend.versions::<M>(name).await?;
    versions
        .retain(|version| *version <= head.id().version && looked_at.is_none_or(|known| *version > known));
    let most = if commit.not_before.is_some() {
        usize::MAX
    } else {
        LOOK_BACK
    };
    for version in versions.into_iter().rev().take(most) {
        let Some(manifest) = backend.manifest::<M>(name, version).await? else {
            continue;
        };
        if manifest.task_key() == Some(key) {
            return Ok(Some(manifest));
        }
        if is_before(manifest.created_at(), commit.not_before) {
            break;
        }
    }
    Ok(None)
}

fn is_before(time: Timestamp, bound: Option<Timestamp>) -> bool {
    bound.is_some_and(|bound| time < bound)
}

/// What a worker staged cannot be: it is not believed, as little as a file.
fn refused(word: &str, name: &Name, reason: String) -> StoreError {
    StoreError::BadManifest {
        path: format!("the staged {word} {name}"),
        reason,
    }
}
