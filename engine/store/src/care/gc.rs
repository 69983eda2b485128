//! Removing what nothing keeps, beside tasks that go on writing.
//!
//! Two rules make it safe. Blobs are listed before manifests are read, and a young blob is never removed: what a task
//! stages is young (finding an old blob makes it young), so its commit finds it. And a version that retention takes away
//! is first moved aside, where it keeps its blobs for another grace period: a task that is computing against it can
//! still commit.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStoreExt, path::Path};

use super::{GcOptions, GcReport, VersionKey, retention};
use crate::{
    ArtifactKind, DatasetManifest, ModelManifest, Name, StoreError,
    backend::{Backend, Versioned, retired_path, version_path},
};

/// Objects removed at once.
const AT_ONCE: usize = 16;

pub(crate) async fn gc(backend: &Arc<Backend>, options: &GcOptions) -> Result<GcReport, StoreError> {
    let mut report = GcReport {
        dry_run: options.dry_run,
        ..GcReport::default()
    };
    let blobs = list(backend, &Path::from("blobs")).await?;
    // Everything is read before anything is removed: an unreadable manifest may need any blob.
    let survey = retention::survey(backend, options).await?;
    let now = SystemTime::from(options.now);
    let (mut dead, mut young) = (Vec::new(), 0);
    for meta in &blobs {
        if survey.live.contains(&meta.location) {
            report.kept_blobs += 1;
        } else if is_old(meta, now, options.grace) {
            report.removed_bytes += meta.size;
            dead.push(meta.location.clone());
        } else {
            young += 1;
        }
    }
    (report.removed_blobs, report.young_blobs) = (dead.len() as u64, young);
    let probes = list(backend, &Path::from("probes")).await?;
    let probes = probes
        .into_iter()
        .filter(|meta| is_old(meta, now, options.grace))
        .map(|meta| meta.location);
    let probes: Vec<Path> = probes.collect();
    let partial = partial_files(backend, now, options.grace).await?;
    report.removed_temporary = (probes.len() + partial.len()) as u64;
    report.retired = survey
        .retire
        .iter()
        .map(|(_, name, version)| format!("{name}@{version}"))
        .collect();
    report.retired_versions.clone_from(&survey.retire);
    if options.dry_run {
        return Ok(report);
    }
    for version in &survey.retire {
        move_aside(backend, version).await?;
    }
    dead.extend(probes);
    dead.extend(survey.expired);
    remove(backend, dead).await?;
    for file in partial {
        // Gone already is as good.
        let _ = std::fs::remove_file(file);
    }
    Ok(report)
}

async fn move_aside(backend: &Backend, (kind, name, version): &VersionKey) -> Result<(), StoreError> {
    match kind {
        ArtifactKind::Dataset => move_manifest::<DatasetManifest>(backend, name, *version).await,
        ArtifactKind::Model => move_manifest::<ModelManifest>(backend, name, *version).await,
    }
}

async fn move_manifest<M: Versioned>(backend: &Backend, name: &Name, version: u64) -> Result<(), StoreError> {
    let (from, to) = (version_path::<M>(name, version), retired_path::<M>(name, version));
    let Some(manifest) = backend.manifest_uncached::<M>(name, version).await? else {
        return Ok(());
    };
    let json = serde_json::to_vec(&*manifest).map_err(StoreError::internal)?;
    let put = backend.durable().put(&to, Bytes::from(json).into()).await;
    put.map_err(|error| StoreError::backend(format!("write {to}"), error))?;
    let deleted = backend.durable().delete(&from).await;
    backend.forget::<M>(name, version);
    deleted.map_err(|error| StoreError::backend(format!("delete {from}"), error))
}

async fn remove(backend: &Backend, paths: Vec<Path>) -> Result<(), StoreError> {
    let paths = futures::stream::iter(paths).map(|path| {
        let objects = Arc::clone(backend.objects());
        async move {
            match objects.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(StoreError::backend(format!("delete {path}"), error)),
            }
        }
    });
    paths.buffer_unordered(AT_ONCE).try_collect().await
}

pub(super) async fn list(backend: &Backend, folder: &Path) -> Result<Vec<ObjectMeta>, StoreError> {
    let listed = backend.objects().list(Some(folder)).try_collect().await;
    listed.map_err(|error| StoreError::backend(format!("list {folder}"), error))
}

pub(super) fn is_old(meta: &ObjectMeta, now: SystemTime, grace: Duration) -> bool {
    now.duration_since(meta.last_modified.into())
        .is_ok_and(|age| age > grace)
}

/// Files that crashed local writes leave: `<name>#<number>`, which no listing shows.
async fn partial_files(
    backend: &Backend,
    now: SystemTime,
    grace: Duration,
) -> Result<Vec<PathBuf>, StoreError> {
    let Some(root) = backend.root().cloned() else {
        return Ok(Vec::new());
    };
    let walk = move || {
        let mut found = Vec::new();
        let mut folders: Vec<PathBuf> = ["blobs", "datasets", "models"]
            .map(|folder| root.join(folder))
            .into();
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries.flatten() {
                let Ok(meta) = entry.metadata() else { continue };
                let age = meta
                    .modified()
                    .ok()
                    .and_then(|time| now.duration_since(time).ok());
                if meta.is_dir() {
                    folders.push(entry.path());
                } else if is_partial(&entry.file_name().to_string_lossy())
                    && age.is_some_and(|age| age > grace)
                {
                    found.push(entry.path());
                }
            }
        }
        found
    };
    Ok(tokio::task::spawn_blocking(walk).await?)
}

fn is_partial(file: &str) -> bool {
    file.rsplit_once('#')
        .is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}
