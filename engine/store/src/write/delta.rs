//! The writer of changes: only the buckets that they fall in are read, merged and written.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use arrow::{
    array::{Array, BooleanArray},
    datatypes::SchemaRef,
    record_batch::RecordBatch,
};
use futures::{StreamExt, TryStreamExt};
use parquet::file::properties::WriterProperties;
use serde_json::Value;

use super::{
    assemble::{self, Notes, StoredPart},
    dataset::{parallel, spill_folder},
    encode::{self, EncodedPart},
    fit,
    keys::{self, Keys, bucket_of, entity_hash},
    sink::{BUDGET, Sink, Unit},
};
use crate::{
    ChangeSummary, DatasetManifest, DatasetWriter, Diff, FeatureStore, Part, ReadOptions, StageDataset,
    StagedDataset, StoreError, read, read::PartFile, schema_from_json,
};

/// Writes changes to a base version: entities to remove, and rows to add. Only the buckets they fall in are rewritten.
#[derive(Debug)]
pub struct DeltaWriter {
    store: FeatureStore,
    spec: StageDataset,
    base: Arc<DatasetManifest>,
    notes: Notes,
    removed: HashSet<String>,
    touched: BTreeSet<u32>,
    budget: u64,
    /// Made at the first use, since making it can fail and `new` cannot.
    state: Option<State>,
}

#[derive(Debug)]
struct State {
    keys: Keys,
    properties: WriterProperties,
    sink: Sink,
}

/// What the merging threads share.
#[derive(Debug)]
struct Shared {
    schema: SchemaRef,
    properties: WriterProperties,
    keys: Keys,
    key: String,
    removed: HashSet<String>,
}

impl DeltaWriter {
    pub(crate) fn new(store: FeatureStore, spec: StageDataset, base: Arc<DatasetManifest>) -> Self {
        let (removed, touched) = (HashSet::new(), BTreeSet::new());
        Self {
            store,
            spec,
            base,
            notes: Notes::default(),
            removed,
            touched,
            budget: BUDGET,
            state: None,
        }
    }

    /// Sets how many bytes of rows are kept in memory before they go to a temporary file; 64 MiB unless set.
    #[must_use]
    pub fn with_memory(mut self, bytes: u64) -> Self {
        self.budget = bytes.max(1);
        self
    }

    /// Removes all rows of an entity that the base has; one that it has not is no error.
    ///
    /// # Errors
    /// `store.schema_mismatch` where the base has another schema or other keys; `store.key_column`.
    pub async fn remove(&mut self, entity_key: &str) -> Result<(), StoreError> {
        self.state()?;
        self.touched
            .insert(bucket_of(entity_hash(entity_key), self.base.data.buckets));
        self.removed.insert(entity_key.to_owned());
        Ok(())
    }

    /// Adds rows of new entities, or of changed ones that are removed as well (before or after).
    ///
    /// # Errors
    /// `store.schema_mismatch`, `store.null_key`, `store.key_column`, `store.disk_full`.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<(), StoreError> {
        let batch = fit::batch(&self.spec.name, &self.spec.schema, batch)?;
        let buckets = self.base.data.buckets;
        let state = self.state()?;
        let hashes = state.keys.hashes(&batch)?;
        let touched: BTreeSet<u32> = hashes.iter().map(|hash| bucket_of(*hash, buckets)).collect();
        state.sink.push(batch, hashes).await?;
        self.touched.extend(touched);
        Ok(())
    }

    /// Adds a figure of this version.
    pub fn set_metric(&mut self, name: &str, value: impl Into<Value>) {
        self.notes.metrics.insert(name.to_owned(), value.into());
    }

    /// Records whether a check held.
    pub fn set_check(&mut self, name: &str, held: bool) {
        self.notes.checks.insert(name.to_owned(), held);
    }

    /// Merges the changes into the touched buckets and describes the whole.
    ///
    /// # Errors
    /// `store.duplicate_key` where a full key is there twice; as [`Self::write`]; those of reading the base.
    pub async fn finish(mut self) -> Result<StagedDataset, StoreError> {
        self.state()?;
        let Self {
            store,
            spec,
            base,
            notes,
            removed,
            touched,
            budget,
            state,
        } = self;
        let Some(State {
            keys,
            properties,
            sink,
        }) = state
        else {
            return Err(StoreError::internal("a delta without its state"));
        };
        let buckets = base.data.buckets;
        let key = spec.keys.first().cloned().unwrap_or_default();
        let shared = Arc::new(Shared {
            schema: Arc::clone(&spec.schema),
            properties,
            keys,
            key,
            removed,
        });
        let units = sink.finish(buckets, parallel()).await?;
        let merged = merge(&store, &shared, &base, units, touched).await?;
        let kept = base
            .data
            .parts
            .iter()
            .filter(|part| !merged.buckets.contains(&part.bucket.unwrap_or_default()));
        let kept = kept.map(|part| StoredPart {
            part: part.clone(),
            written: 0,
            fresh: false,
        });
        let mut stored: Vec<StoredPart> = kept.collect();
        stored.extend(merged.stored);
        assemble::sync_folders(&store.backend, &stored).await?;
        let schema = Arc::clone(&spec.schema);
        let mut staged = assemble::describe(spec.clone(), &schema, buckets, stored, notes)?;
        staged.base = Some(base.version);
        staged.changes = Some(merged.changes);
        if rebucket(&staged) {
            rewrite(&store, spec, budget, staged).await
        } else {
            Ok(staged)
        }
    }

    fn state(&mut self) -> Result<&mut State, StoreError> {
        let state = match self.state.take() {
            Some(state) => state,
            None => self.begin()?,
        };
        Ok(self.state.insert(state))
    }

    fn begin(&self) -> Result<State, StoreError> {
        let (spec, base) = (&self.spec, &self.base.data);
        let mismatch = |reason: String| StoreError::SchemaMismatch {
            dataset: spec.name.to_string(),
            reason,
        };
        if let Some(reason) = fit::difference(&spec.schema, schema_from_json(&base.schema)?.as_ref()) {
            return Err(mismatch(format!(
                "{} has other columns: {reason}",
                self.base.id()
            )));
        }
        if spec.keys != base.keys {
            return Err(mismatch(format!(
                "{} has the keys {:?}, not {:?}",
                self.base.id(),
                base.keys,
                spec.keys
            )));
        }
        let Some(keys) = Keys::new(&spec.name, &spec.schema, &spec.keys)? else {
            return Err(mismatch(
                "a dataset without keys can only be written whole".to_owned(),
            ));
        };
        let properties = encode::writer_properties(&spec.schema)?;
        let sink = Sink::new(
            Arc::clone(&spec.schema),
            keys.clone(),
            spill_folder(&self.store),
            self.budget,
        );
        Ok(State {
            keys,
            properties,
            sink,
        })
    }
}

/// The touched buckets, merged.
#[derive(Default)]
struct Merged {
    stored: Vec<StoredPart>,
    buckets: HashSet<u32>,
    changes: ChangeSummary,
}

/// A touched bucket: its rows in the base, and those to add.
struct Job {
    bucket: u32,
    base: Option<PartFile>,
    added: Vec<RecordBatch>,
}

async fn merge(
    store: &FeatureStore,
    shared: &Arc<Shared>,
    base: &DatasetManifest,
    units: Vec<Unit>,
    mut touched: BTreeSet<u32>,
) -> Result<Merged, StoreError> {
    let parts: BTreeMap<u32, &Part> = base
        .data
        .parts
        .iter()
        .map(|p| (p.bucket.unwrap_or_default(), p))
        .collect();
    let buckets = base.data.buckets;
    let owner = format!("dataset {}", base.id());
    let mut merged = Merged {
        buckets: touched.iter().copied().collect(),
        ..Merged::default()
    };
    for unit in units {
        let loading = Arc::clone(shared);
        let added = tokio::task::spawn_blocking(move || load(&unit, &loading.keys, buckets)).await??;
        added.keys().for_each(|bucket| {
            touched.remove(bucket);
        });
        merge_some(store, shared, &parts, &owner, added, &mut merged).await?;
    }
    let only_removed = touched.into_iter().map(|bucket| (bucket, Vec::new())).collect();
    merge_some(store, shared, &parts, &owner, only_removed, &mut merged).await?;
    Ok(merged)
}

async fn merge_some(
    store: &FeatureStore,
    shared: &Arc<Shared>,
    parts: &BTreeMap<u32, &Part>,
    owner: &str,
    added: BTreeMap<u32, Vec<RecordBatch>>,
    merged: &mut Merged,
) -> Result<(), StoreError> {
    let with_parts: Vec<_> = added
        .into_iter()
        .map(|(b, rows)| (b, parts.get(&b).copied().cloned(), rows))
        .collect();
    let jobs = futures::stream::iter(with_parts).map(|(bucket, part, added)| {
        let (store, owner, shared) = (store.clone(), owner.to_owned(), Arc::clone(shared));
        async move {
            let base = match part {
                Some(part) => Some(PartFile::open(&store.backend, &part, &owner).await?),
                None => None,
            };
            let job = Job { bucket, base, added };
            tokio::task::spawn_blocking(move || merge_bucket(&shared, &job)).await?
        }
    });
    let results: Vec<(Option<EncodedPart>, ChangeSummary)> = jobs.buffered(parallel()).try_collect().await?;
    let mut encoded = Vec::new();
    for (part, changes) in results {
        encoded.extend(part);
        merged.changes.added += changes.added;
        merged.changes.changed += changes.changed;
        merged.changes.removed += changes.removed;
    }
    let parts = futures::stream::iter([Ok(encoded)]);
    merged
        .stored
        .extend(assemble::store_all(&store.backend, parts).await?);
    Ok(())
}

/// The rows to add, by bucket. Blocks.
fn load(unit: &Unit, keys: &Keys, buckets: u32) -> Result<BTreeMap<u32, Vec<RecordBatch>>, StoreError> {
    let mut added = BTreeMap::new();
    unit.for_each_bucket(keys, buckets, |bucket, batches, places| {
        let refs: Vec<&RecordBatch> = batches.iter().collect();
        let rows = arrow::compute::interleave_record_batch(&refs, &places).map_err(StoreError::internal)?;
        added.insert(bucket, vec![rows]);
        Ok(())
    })?;
    Ok(added)
}

/// One bucket: the base's rows without the removed entities, and the added ones. Blocks.
fn merge_bucket(shared: &Shared, job: &Job) -> Result<(Option<EncodedPart>, ChangeSummary), StoreError> {
    let before = job
        .base
        .as_ref()
        .map(|part| part.all(&shared.schema))
        .transpose()?
        .unwrap_or_default();
    let stays = |batch: &RecordBatch| -> BooleanArray {
        let entities = shared.keys.entities(batch);
        (0..entities.len())
            .map(|row| Some(!shared.removed.contains(entities.value(row))))
            .collect()
    };
    let mut rows = Vec::new();
    for batch in &before {
        rows.extend(read::filtered(batch, &stays)?);
    }
    rows.extend(job.added.iter().cloned());
    let places: Vec<_> = rows
        .iter()
        .enumerate()
        .flat_map(|(b, batch)| (0..batch.num_rows()).map(move |r| (b, r)))
        .collect();
    let (part, after) = if places.is_empty() {
        (None, Vec::new())
    } else {
        let order = shared.keys.order(&rows)?;
        let (part, sorted) = encode::bucket(
            &shared.schema,
            &shared.properties,
            &shared.keys,
            &order,
            job.bucket,
            &rows,
            places,
        )?;
        (Some(part), sorted)
    };
    let mut diff = Diff::default();
    read::rows_that_differ(
        (&shared.schema, &before),
        (&shared.schema, &after),
        &shared.key,
        &mut diff,
    )?;
    let count = |list: &Vec<String>| list.len() as u64;
    let changes = ChangeSummary {
        added: count(&diff.added),
        changed: count(&diff.changed),
        removed: count(&diff.removed),
    };
    Ok((part, changes))
}

/// Whether the buckets have become far too large or too small.
fn rebucket(staged: &StagedDataset) -> bool {
    // Parquet is smaller than the values by a few times; wide rows must not look too small for their buckets.
    let ideal = keys::ideal_buckets(staged.rows, staged.bytes.saturating_mul(4));
    keys::sticky_buckets(Some(staged.buckets), ideal) != staged.buckets
}

/// Writes the staged rows once more, in the right number of buckets.
async fn rewrite(
    store: &FeatureStore,
    spec: StageDataset,
    budget: u64,
    staged: StagedDataset,
) -> Result<StagedDataset, StoreError> {
    let mut writer = DatasetWriter::new(store.clone(), spec).with_memory(budget);
    let (base, changes) = (staged.base, staged.changes);
    let (metrics, checks, written) = (
        staged.metrics.clone(),
        staged.checks.clone(),
        staged.bytes_written,
    );
    let mut rows = read::staged_rows(&store.backend, &staged, ReadOptions::default());
    while let Some(batch) = rows.try_next().await? {
        writer.write(batch).await?;
    }
    let mut whole = writer.finish().await?;
    (whole.base, whole.changes, whole.metrics, whole.checks) = (base, changes, metrics, checks);
    whole.bytes_written += written;
    Ok(whole)
}
