//! Removing what nothing keeps, beside tasks that go on writing.
//!
//! Two rules make it safe. Blobs are listed before manifests are read, and a young blob is never removed: what a task
//! stages is young (finding an old blob makes it young), so its commit finds it. And a version that retention takes away
//! is first moved aside, where it keeps its blobs for another grace period: a task that is computing against it can
//! still commit.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::{ObjectMeta, ObjectStoreExt, path::Path};

use super::{GcOptions, GcReport};
use crate::{
    ArtifactKind, DatasetManifest, ModelManifest, Name, StoreError,
    backend::{Backend, Versioned, blob_path, retired_folder, retired_path, version_path},
    labels,
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
    let datasets = survey::<DatasetManifest>(backend, options).await?;
    let models = survey::<ModelManifest>(backend, options).await?;
    let live: HashSet<&Path> = datasets.live.iter().chain(&models.live).collect();
    let now = SystemTime::from(options.now);
    let (mut dead, mut young) = (Vec::new(), 0);
    for meta in &blobs {
        if live.contains(&meta.location) {
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
    report.retired = datasets
        .retire
        .iter()
        .chain(&models.retire)
        .map(|r| format!("{}@{}", r.name, r.version))
        .collect();
    if options.dry_run {
        return Ok(report);
    }
    for survey in [&datasets.retire, &models.retire] {
        for retire in survey {
            move_aside(backend, retire).await?;
        }
    }
    dead.extend(probes);
    dead.extend(datasets.expired.into_iter().chain(models.expired));
    remove(backend, dead).await?;
    for file in partial {
        // Gone already is as good.
        let _ = std::fs::remove_file(file);
    }
    Ok(report)
}

/// A version that retention takes away.
struct Retire {
    kind: ArtifactKind,
    name: Name,
    version: u64,
}

/// What the manifests of a kind say.
#[derive(Default)]
struct Survey {
    live: HashSet<Path>,
    retire: Vec<Retire>,
    /// Manifests set aside longer ago than the grace period.
    expired: Vec<Path>,
}

async fn survey<M: Versioned>(backend: &Backend, options: &GcOptions) -> Result<Survey, StoreError> {
    let mut survey = Survey::default();
    let mut kept = HashMap::<Name, HashSet<u64>>::new();
    let mut bases = Vec::new();
    let mut manifests = BTreeMap::<Name, BTreeMap<u64, Vec<Path>>>::new();
    for name in backend.names::<M>().await? {
        let versions = backend.versions::<M>(&name).await?;
        let labelled: HashSet<u64> = labels::all::<M>(backend, &name)
            .await?
            .into_values()
            .map(|label| label.version)
            .collect();
        let rule = options.keep_by_name.get(&name).copied().or(options.keep_versions);
        let kept_latest = rule.map_or(usize::MAX, |count| {
            usize::try_from(count.max(1)).unwrap_or(usize::MAX)
        });
        let oldest_kept = versions
            .get(versions.len().saturating_sub(kept_latest))
            .copied()
            .unwrap_or_default();
        for version in versions {
            let Some(manifest) = backend.manifest_uncached::<M>(&name, version).await? else {
                continue;
            };
            let blobs = manifest
                .blobs()
                .into_iter()
                .map(blob_path)
                .collect::<Result<Vec<_>, _>>()?;
            manifests.entry(name.clone()).or_default().insert(version, blobs);
            let old = is_before(manifest.created_at(), options);
            if version >= oldest_kept || labelled.contains(&version) || !old {
                kept.entry(name.clone()).or_default().insert(version);
                bases.extend(manifest.base());
            }
        }
        let now = SystemTime::from(options.now);
        for meta in list(backend, &retired_folder::<M>(&name)).await? {
            if is_old(&meta, now, options.grace) {
                survey.expired.push(meta.location);
            } else if let Some(manifest) = backend.manifest_at::<M>(&meta.location).await? {
                for blob in manifest.blobs() {
                    survey.live.insert(blob_path(blob)?);
                }
            }
        }
    }
    // An adapter without its base is of no use. Bases have no bases of their own beyond what the loop finds.
    while let Some(base) = bases.pop() {
        let known = manifests
            .get(&base.name)
            .is_some_and(|versions| versions.contains_key(&base.version));
        if known
            && kept.entry(base.name.clone()).or_default().insert(base.version)
            && let Some(manifest) = backend.manifest_uncached::<M>(&base.name, base.version).await?
        {
            bases.extend(manifest.base());
        }
    }
    for (name, versions) in manifests {
        for (version, blobs) in versions {
            survey.live.extend(blobs);
            if !kept.get(&name).is_some_and(|kept| kept.contains(&version)) {
                survey.retire.push(Retire {
                    kind: M::KIND,
                    name: name.clone(),
                    version,
                });
            }
        }
    }
    Ok(survey)
}

async fn move_aside(backend: &Backend, retire: &Retire) -> Result<(), StoreError> {
    match retire.kind {
        ArtifactKind::Dataset => {
            move_manifest::<DatasetManifest>(backend, &retire.name, retire.version).await
        }
        ArtifactKind::Model => move_manifest::<ModelManifest>(backend, &retire.name, retire.version).await,
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

async fn list(backend: &Backend, folder: &Path) -> Result<Vec<ObjectMeta>, StoreError> {
    let listed = backend.objects().list(Some(folder)).try_collect().await;
    listed.map_err(|error| StoreError::backend(format!("list {folder}"), error))
}

fn is_old(meta: &ObjectMeta, now: SystemTime, grace: Duration) -> bool {
    now.duration_since(meta.last_modified.into())
        .is_ok_and(|age| age > grace)
}

/// Whether a version's time lies before the grace period.
fn is_before(time: Timestamp, options: &GcOptions) -> bool {
    SystemTime::from(options.now)
        .duration_since(time.into())
        .is_ok_and(|age| age > options.grace)
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
