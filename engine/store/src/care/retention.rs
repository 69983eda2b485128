//! Which versions stay.
//!
//! Without a rule all of them. With one, of a dataset the newest ones, and whatever else somebody may still ask for: what
//! has a label or is young, what a model in use was made from, what tells of such a model, and what the newest version of
//! a dataset was made from (the next run applies the difference to it). Model versions go only where their name has a
//! rule of its own: the general one is of datasets.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::SystemTime,
};

use jiff::Timestamp;
use object_store::path::Path;

use super::{
    GcOptions, VersionKey,
    gc::{is_old, list},
};
use crate::{
    ArtifactKind, DatasetManifest, ModelManifest, StoreError, VersionId,
    backend::{Backend, Versioned, blob_path, retired_folder},
    labels,
};

/// What the manifests come to.
#[derive(Default)]
pub(super) struct Survey {
    /// Blobs that a manifest needs.
    pub live: HashSet<Path>,
    /// Versions that retention takes away.
    pub retire: Vec<VersionKey>,
    /// Manifests set aside longer ago than the grace period.
    pub expired: Vec<Path>,
}

/// Reads every manifest and label.
pub(super) async fn survey(backend: &Arc<Backend>, options: &GcOptions) -> Result<Survey, StoreError> {
    let mut found = Found::default();
    let mut survey = Survey::default();
    found
        .read::<DatasetManifest>(backend, options, &mut survey)
        .await?;
    found.read::<ModelManifest>(backend, options, &mut survey).await?;
    survey.retire = found.not_kept();
    Ok(survey)
}

/// What is known of the versions.
#[derive(Default)]
struct Found {
    /// What each was made from; of an adapter its base too.
    made_from: BTreeMap<VersionKey, Vec<VersionKey>>,
    kept: HashSet<VersionKey>,
    /// Models that are kept with all that they were made from.
    in_use: Vec<VersionKey>,
    /// Models that a person has decided on, or is asked to.
    decided: HashSet<VersionKey>,
}

impl Found {
    async fn read<M: Versioned>(
        &mut self,
        backend: &Backend,
        options: &GcOptions,
        survey: &mut Survey,
    ) -> Result<(), StoreError> {
        for name in backend.names::<M>().await? {
            let versions = backend.versions::<M>(&name).await?;
            let labels = labels::all::<M>(backend, &name).await?;
            // Where a label pointed before is where it can be pointed back to.
            let labelled: HashSet<u64> = labels
                .values()
                .flat_map(|label| [Some(label.version), label.previous])
                .flatten()
                .collect();
            let own = options.keep_by_name.get(&name).copied();
            let rule = own.or(options.keep_versions);
            let oldest = rule.map_or(0, |count| oldest_kept(&versions, count));
            let has_rule = match M::KIND {
                ArtifactKind::Dataset => rule.is_some(),
                ArtifactKind::Model => own.is_some(),
            };
            for version in &versions {
                let Some(manifest) = backend.manifest_uncached::<M>(&name, *version).await? else {
                    continue;
                };
                for blob in manifest.blobs() {
                    survey.live.insert(blob_path(blob)?);
                }
                let key = (M::KIND, name.clone(), *version);
                let mut inputs: Vec<VersionKey> = manifest
                    .inputs()
                    .iter()
                    .map(|input| key_of(input.kind, &input.id))
                    .collect();
                inputs.extend(manifest.base().map(|base| key_of(M::KIND, &base)));
                let asked_for = labelled.contains(version) || options.pinned.contains(&key);
                let stays = asked_for || *version >= oldest || !is_before(manifest.created_at(), options);
                if stays || !has_rule {
                    self.kept.insert(key.clone());
                }
                match M::KIND {
                    ArtifactKind::Model if stays => self.in_use.push(key.clone()),
                    ArtifactKind::Dataset if Some(version) == versions.last() => {
                        self.kept.extend(inputs.iter().cloned());
                    }
                    _ => {}
                }
                if M::KIND == ArtifactKind::Model && asked_for {
                    self.decided.insert(key.clone());
                }
                self.made_from.insert(key, inputs);
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
        Ok(())
    }

    fn not_kept(mut self) -> Vec<VersionKey> {
        // All that a model in use was made from, all the way.
        let in_use = std::mem::take(&mut self.in_use);
        self.keep_with(in_use, |_| true);
        // An adapter without its base is of no use.
        let models = self.kept.iter().filter(|key| is_model(key)).cloned().collect();
        self.keep_with(models, is_model);
        // Its evaluation, its verdict: the reason why it is in use.
        let tells = |inputs: &Vec<VersionKey>| inputs.iter().any(|input| self.decided.contains(input));
        let evidence = self
            .made_from
            .iter()
            .filter(|(key, inputs)| !is_model(key) && tells(inputs));
        let evidence: Vec<VersionKey> = evidence.map(|(key, _)| key.clone()).collect();
        self.kept.extend(evidence);
        let gone = self.made_from.into_keys().filter(|key| !self.kept.contains(key));
        gone.collect()
    }

    /// Keeps these, and of what they were made from all that `follow` says.
    fn keep_with(&mut self, from: Vec<VersionKey>, follow: impl Fn(&VersionKey) -> bool) {
        let (mut open, mut seen) = (from, HashSet::new());
        while let Some(key) = open.pop() {
            if seen.insert(key.clone()) {
                let inputs = self.made_from.get(&key).into_iter().flatten();
                open.extend(inputs.filter(|input| follow(input)).cloned());
                self.kept.insert(key);
            }
        }
    }
}

/// The number of the oldest of the newest `count`, of which there is one at least.
fn oldest_kept(versions: &[u64], count: u64) -> u64 {
    let count = usize::try_from(count.max(1)).unwrap_or(usize::MAX);
    versions
        .get(versions.len().saturating_sub(count))
        .copied()
        .unwrap_or_default()
}

fn key_of(kind: ArtifactKind, id: &VersionId) -> VersionKey {
    (kind, id.name.clone(), id.version)
}

fn is_model(key: &VersionKey) -> bool {
    key.0 == ArtifactKind::Model
}

/// Whether a version's time lies before the grace period.
fn is_before(time: Timestamp, options: &GcOptions) -> bool {
    SystemTime::from(options.now)
        .duration_since(time.into())
        .is_ok_and(|age| age > options.grace)
}
