//! Is everything that the manifests name there, and is it what they say?

use std::{collections::HashMap, sync::Arc};

use futures::StreamExt;

use super::{Problem, ProblemKind, VerifyProgress, VerifyReport};
use crate::{
    BlobRef, DatasetManifest, ModelManifest, Name, StoreError,
    backend::{Backend, Versioned, blob_path, label_path, version_path},
    labels,
};

/// Blobs hashed at once.
const AT_ONCE: usize = 4;

/// Blobs and the versions (by position in `owners`) that need them.
#[derive(Default)]
struct Needs {
    owners: Vec<String>,
    blobs: HashMap<BlobRef, Vec<u32>>,
}

pub(crate) async fn verify(
    backend: &Arc<Backend>,
    progress: &(impl Fn(VerifyProgress) + Send + Sync),
) -> Result<VerifyReport, StoreError> {
    let mut report = VerifyReport::default();
    let mut needs = Needs::default();
    collect::<DatasetManifest>(backend, &mut needs, &mut report).await?;
    collect::<ModelManifest>(backend, &mut needs, &mut report).await?;
    let total = needs.blobs.len() as u64;
    report.blobs = total;
    let hash = |(blob, owners): (BlobRef, Vec<u32>)| {
        let backend = Arc::clone(backend);
        async move { (backend.hash_blob(&blob).await, blob, owners) }
    };
    let mut hashed = futures::stream::iter(needs.blobs)
        .map(hash)
        .buffer_unordered(AT_ONCE);
    let mut done = 0;
    while let Some((found, blob, owners)) = hashed.next().await {
        done += 1;
        let found = found?;
        report.bytes += found.as_ref().map_or(0, |(_, bytes)| *bytes);
        if let Some((kind, detail)) = damage(&blob, found) {
            let path = blob_path(&blob)?.to_string();
            let owners = owners
                .iter()
                .filter_map(|owner| needs.owners.get(*owner as usize));
            let problem = |owner: &String| Problem {
                kind,
                owner: owner.clone(),
                path: path.clone(),
                detail: detail.clone(),
            };
            report.problems.extend(owners.map(problem));
        }
        progress(VerifyProgress {
            done,
            total,
            bytes: report.bytes,
        });
    }
    report
        .problems
        .sort_by(|a, b| (&a.owner, &a.path).cmp(&(&b.owner, &b.path)));
    Ok(report)
}

fn damage(blob: &BlobRef, found: Option<(String, u64)>) -> Option<(ProblemKind, String)> {
    match found {
        None => Some((ProblemKind::Missing, "it is not there".to_owned())),
        Some((_, bytes)) if bytes != blob.bytes => Some((
            ProblemKind::Corrupt,
            format!("it has {bytes} bytes, not {}", blob.bytes),
        )),
        Some((hash, _)) if hash != blob.hash => Some((ProblemKind::Corrupt, format!("its hash is {hash}"))),
        Some(_) => None,
    }
}

async fn collect<M: Versioned>(
    backend: &Backend,
    needs: &mut Needs,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    for name in backend.names::<M>().await? {
        let versions = backend.versions::<M>(&name).await?;
        for version in &versions {
            report.versions += 1;
            let owner = format!("{} {name}@{version}", M::WORD);
            match backend.manifest_uncached::<M>(&name, *version).await {
                Ok(Some(manifest)) => {
                    let position = u32::try_from(needs.owners.len()).map_err(StoreError::internal)?;
                    needs.owners.push(owner);
                    for blob in manifest.blobs() {
                        let owners = needs.blobs.entry(blob.clone()).or_default();
                        // A model may name one blob twice.
                        if owners.last() != Some(&position) {
                            owners.push(position);
                        }
                    }
                }
                // Collected in the meantime.
                Ok(None) => {}
                Err(error @ (StoreError::BadManifest { .. } | StoreError::NewerFormat { .. })) => {
                    let path = version_path::<M>(&name, *version).to_string();
                    report.problems.push(Problem {
                        kind: ProblemKind::BadManifest,
                        owner,
                        path,
                        detail: error.to_string(),
                    });
                }
                Err(error) => return Err(error),
            }
        }
        collect_labels::<M>(backend, &name, &versions, report).await?;
    }
    Ok(())
}

async fn collect_labels<M: Versioned>(
    backend: &Backend,
    name: &Name,
    versions: &[u64],
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    for label in labels::names::<M>(backend, name).await? {
        let (owner, path) = (
            format!("{} {name}@{label}", M::WORD),
            label_path::<M>(name, &label).to_string(),
        );
        match labels::get::<M>(backend, name, &label).await {
            Ok(Some(target)) if !versions.contains(&target.version) => {
                let detail = format!("it points at version {}, which is not there", target.version);
                report.problems.push(Problem {
                    kind: ProblemKind::Missing,
                    owner,
                    path,
                    detail,
                });
            }
            Ok(_) => {}
            Err(error @ StoreError::BadManifest { .. }) => {
                report.problems.push(Problem {
                    kind: ProblemKind::BadManifest,
                    owner,
                    path,
                    detail: error.to_string(),
                });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
