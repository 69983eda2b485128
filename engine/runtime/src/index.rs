//! The database's index of the store: its rows, bringing it up to date, and what retention has to know of runs.

use std::collections::HashSet;

use futures::StreamExt;
use serde_json::json;
use twinloom_meta::{
    AliasIndexRow, ArtifactKind, DatasetIndexRow, Index, IndexKey, Meta, ModelIndexRow, RunFilter, RunState,
};
use twinloom_store::{
    DatasetManifest, FeatureStore, GcOptions, GcReport, Label, ModelManifest, Name, Reference, Selector,
    StoreError, VersionKey,
};

use crate::{
    EngineError,
    engine::plan_of,
    prepare::{artifact_id, externals},
};

/// The row of a dataset version.
#[must_use]
pub fn dataset_row(manifest: &DatasetManifest) -> DatasetIndexRow {
    let data = &manifest.data;
    DatasetIndexRow {
        name: data.name.to_string(),
        version: manifest.version,
        hash: data.content_hash.clone(),
        parent: manifest.parent,
        rows: data.rows,
        bytes: data.bytes,
        changes: data
            .changes
            .and_then(|changes| serde_json::to_value(changes).ok()),
        run: some(&data.producer.run),
        task: some(&data.producer.task),
        created_at: manifest.created_at,
    }
}

/// The row of a model version.
#[must_use]
pub fn model_row(manifest: &ModelManifest) -> ModelIndexRow {
    let data = &manifest.data;
    ModelIndexRow {
        name: data.name.to_string(),
        version: manifest.version,
        hash: data.content_hash.clone(),
        base: data.base.as_ref().map(ToString::to_string),
        metrics: json!(data.metrics),
        run: some(&data.producer.run),
        task: some(&data.producer.task),
        created_at: manifest.created_at,
    }
}

/// The row of a tag or alias.
#[must_use]
pub fn label_row(kind: ArtifactKind, name: &str, alias: &str, label: Label) -> AliasIndexRow {
    AliasIndexRow {
        kind,
        name: name.to_owned(),
        alias: alias.to_owned(),
        version: label.version,
        previous: label.previous,
        by: label.by,
        reason: label.reason,
        moved_at: label.moved_at,
    }
}

/// What a walk over the store found.
#[derive(Debug, Default)]
pub struct Scanned {
    index: Index,
    /// Manifests that could not be read, in words. Their rows stay as they are.
    pub left_out: Vec<String>,
}

/// Walks over the store.
///
/// # Errors
/// What the store says of its listings and of manifests that it does not hand out.
pub async fn scan(store: &FeatureStore) -> Result<Scanned, EngineError> {
    let mut scanned = Scanned::default();
    let mut datasets = store.all_datasets();
    while let Some(manifest) = datasets.next().await {
        match manifest {
            Ok(manifest) => scanned.index.datasets.push(dataset_row(&manifest)),
            Err(error) if is_damage(&error) => scanned.left_out.push(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    let mut models = store.all_models();
    while let Some(manifest) = models.next().await {
        match manifest {
            Ok(manifest) => scanned.index.models.push(model_row(&manifest)),
            Err(error) if is_damage(&error) => scanned.left_out.push(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(scanned)
}

/// Whether the manifest itself is at fault, and not the way to it.
fn is_damage(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::BadManifest { .. } | StoreError::NewerFormat { .. }
    )
}

/// Brings the index to what was found. Versions that were published, retired or labelled since are looked at one by one:
/// the store was written before the database each time.
///
/// # Errors
/// What the store and the database say.
pub async fn write(meta: &Meta, store: &FeatureStore, scanned: Scanned) -> Result<Index, EngineError> {
    let mut index = scanned.index;
    let mut gone = Vec::new();
    let known: HashSet<(String, u64)> = index
        .datasets
        .iter()
        .map(|row| (row.name.clone(), row.version))
        .collect();
    for row in meta.dataset_index(None).await? {
        if known.contains(&(row.name.clone(), row.version)) {
            continue;
        }
        let manifest = match reference(&row.name, row.version) {
            Some(reference) => store.dataset(&reference).await.map(Some),
            None => Ok(None),
        };
        match look(manifest, ArtifactKind::Dataset, row.name, row.version)? {
            Look::There(manifest) => index.datasets.push(dataset_row(&manifest)),
            Look::Gone(key) => gone.push(key),
            Look::Unreadable => {}
        }
    }
    let known: HashSet<(String, u64)> = index
        .models
        .iter()
        .map(|row| (row.name.clone(), row.version))
        .collect();
    for row in meta.model_index(None).await? {
        if known.contains(&(row.name.clone(), row.version)) {
            continue;
        }
        let manifest = match reference(&row.name, row.version) {
            Some(reference) => store.model(&reference).await.map(Some),
            None => Ok(None),
        };
        match look(manifest, ArtifactKind::Model, row.name, row.version)? {
            Look::There(manifest) => index.models.push(model_row(&manifest)),
            Look::Gone(key) => gone.push(key),
            Look::Unreadable => {}
        }
    }
    // Labels are few, and they move: what the store says now counts.
    let stored = meta.alias_index(None).await?;
    index.aliases = labels(store, &index, &stored).await?;
    let key = |row: &AliasIndexRow| (row.kind, row.name.clone(), row.alias.clone());
    let standing: HashSet<_> = index.aliases.iter().map(key).collect();
    gone.extend(
        stored
            .iter()
            .filter(|row| !standing.contains(&key(row)))
            .map(|row| IndexKey::Label {
                kind: row.kind,
                name: row.name.clone(),
                label: row.alias.clone(),
            }),
    );
    meta.update_index(index.clone(), &gone).await?;
    Ok(index)
}

/// Collects garbage as [`FeatureStore::gc`] does, keeps what runs that have not ended have made, and takes what retention
/// took away out of the index.
///
/// # Errors
/// What the store and the database say.
pub async fn collect(
    meta: &Meta,
    store: &FeatureStore,
    mut options: GcOptions,
) -> Result<GcReport, EngineError> {
    let dry_run = options.dry_run;
    options.pinned.extend(in_runs(meta).await?);
    let report = store.gc(options).await?;
    if !dry_run && !report.retired_versions.is_empty() {
        let gone: Vec<IndexKey> = report
            .retired_versions
            .iter()
            .map(|(kind, name, version)| IndexKey::Version {
                kind: kind_of(*kind),
                name: name.to_string(),
                version: *version,
            })
            .collect();
        meta.update_index(Index::default(), &gone).await?;
    }
    Ok(report)
}

/// What runs that have not ended have made, and what they were given: they go on with both, whenever a person says so.
async fn in_runs(meta: &Meta) -> Result<Vec<VersionKey>, EngineError> {
    let filter = RunFilter {
        states: RunState::OPEN.to_vec(),
        limit: u64::from(u32::MAX),
        ..RunFilter::default()
    };
    let runs = meta.runs(&filter).await?;
    let mut pinned = Vec::new();
    for run in &runs {
        let plan = plan_of(&meta.run(&run.id).await?)?;
        for (_, kind, reference) in plan.tasks.iter().flat_map(externals) {
            // A run's references are of fixed versions since it was submitted.
            if let Ok(Reference {
                name,
                selector: Selector::Number(version),
            }) = reference.parse()
            {
                pinned.push((kind, name, version));
            }
        }
    }
    let ids: Vec<String> = runs.into_iter().map(|run| run.id).collect();
    let made = meta.artifacts_of(&ids).await?;
    pinned.extend(
        made.iter()
            .filter_map(artifact_id)
            .map(|made| (made.kind, made.id.name, made.id.version)),
    );
    Ok(pinned)
}

/// What became of a row that the walk did not find.
enum Look<M> {
    There(M),
    Gone(IndexKey),
    Unreadable,
}

fn look<M>(
    found: Result<Option<M>, StoreError>,
    kind: ArtifactKind,
    name: String,
    version: u64,
) -> Result<Look<M>, EngineError> {
    Ok(match found {
        Ok(Some(manifest)) => Look::There(manifest),
        Ok(None) | Err(StoreError::NotFound { .. }) => Look::Gone(IndexKey::Version { kind, name, version }),
        Err(error) if is_damage(&error) => Look::Unreadable,
        Err(error) => return Err(error.into()),
    })
}

/// Labels of everything that has versions in the index or had labels: a name whose manifests are all damaged keeps its
/// labels.
async fn labels(
    store: &FeatureStore,
    index: &Index,
    stored: &[AliasIndexRow],
) -> Result<Vec<AliasIndexRow>, EngineError> {
    let mut rows = Vec::new();
    let datasets = index
        .datasets
        .iter()
        .map(|row| (ArtifactKind::Dataset, row.name.as_str()));
    let models = index
        .models
        .iter()
        .map(|row| (ArtifactKind::Model, row.name.as_str()));
    let labelled = stored.iter().map(|row| (row.kind, row.name.as_str()));
    let names: HashSet<(ArtifactKind, &str)> = datasets.chain(models).chain(labelled).collect();
    for (kind, name) in names {
        let checked = Name::new(name)?;
        let labels = match kind {
            ArtifactKind::Dataset => store.tags(&checked).await?,
            ArtifactKind::Model => store.aliases(&checked).await?,
        };
        rows.extend(
            labels
                .into_iter()
                .map(|(label, target)| label_row(kind, name, &label, target)),
        );
    }
    Ok(rows)
}

fn reference(name: &str, version: u64) -> Option<Reference> {
    Some(Reference {
        name: Name::new(name).ok()?,
        selector: Selector::Number(version),
    })
}

/// The database's word for a kind of the store.
pub(crate) fn kind_of(kind: twinloom_store::ArtifactKind) -> ArtifactKind {
    match kind {
        twinloom_store::ArtifactKind::Dataset => ArtifactKind::Dataset,
        twinloom_store::ArtifactKind::Model => ArtifactKind::Model,
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
