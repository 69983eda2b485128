//! The writer of whole datasets.

use std::{path::PathBuf, sync::Arc};

use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use futures::StreamExt;
use parquet::file::properties::WriterProperties;
use serde_json::Value;

use super::{
    assemble::{self, Notes, StoredPart},
    encode::{self, EncodedPart},
    fit,
    keys::{self, Keys},
    ordered::Ordered,
    sink::{BUDGET, Sink, Unit},
};
use crate::{DatasetManifest, FeatureStore, StageDataset, StagedDataset, StoreError, commit, read};

/// Writes a whole dataset, in bounded memory. The same rows in any order make the same content, given keys.
#[derive(Debug)]
pub struct DatasetWriter {
    store: FeatureStore,
    spec: StageDataset,
    notes: Notes,
    rows: u64,
    budget: u64,
    /// Made at the first use, since making it can fail and `new` cannot.
    state: Option<State>,
}

#[derive(Debug)]
enum State {
    Keyed(Box<Keyed>),
    Ordered(Box<Ordered>),
}

#[derive(Debug)]
struct Keyed {
    keys: Keys,
    properties: WriterProperties,
    sink: Sink,
}

impl DatasetWriter {
    pub(crate) fn new(store: FeatureStore, spec: StageDataset) -> Self {
        Self {
            store,
            spec,
            notes: Notes::default(),
            rows: 0,
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

    /// Adds rows. Columns must be the schema's, in its order.
    ///
    /// # Errors
    /// `store.schema_mismatch`, `store.null_key`, `store.key_column`, `store.disk_full`; those of the backend.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<(), StoreError> {
        let batch = fit::batch(&self.spec.name, &self.spec.schema, batch)?;
        self.rows += batch.num_rows() as u64;
        let store = self.store.clone();
        match self.state()? {
            State::Keyed(keyed) => {
                let hashes = keyed.keys.hashes(&batch)?;
                keyed.sink.push(batch, hashes).await
            }
            State::Ordered(ordered) => ordered.push(&store, batch).await,
        }
    }

    /// Adds a figure of this version.
    pub fn set_metric(&mut self, name: &str, value: impl Into<Value>) {
        self.notes.metrics.insert(name.to_owned(), value.into());
    }

    /// Records whether a check held.
    pub fn set_check(&mut self, name: &str, held: bool) {
        self.notes.checks.insert(name.to_owned(), held);
    }

    /// Rows written so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Sorts, encodes and stores what is left, and describes the whole, changes against the latest version included.
    ///
    /// # Errors
    /// `store.duplicate_key` naming the key; as [`Self::write`].
    pub async fn finish(mut self) -> Result<StagedDataset, StoreError> {
        self.state()?;
        let head = commit::head::<DatasetManifest>(&self.store.backend, &self.spec.name).await?;
        let Self {
            store,
            spec,
            notes,
            state,
            ..
        } = self;
        let schema = Arc::clone(&spec.schema);
        let (stored, buckets) = match state {
            Some(State::Keyed(keyed)) => {
                let ideal = keys::ideal_buckets(keyed.sink.rows(), keyed.sink.bytes());
                let present = head
                    .as_ref()
                    .filter(|head| head.data.keys == spec.keys)
                    .map(|head| head.data.buckets);
                let buckets = keys::sticky_buckets(present, ideal);
                (encode_buckets(&store, &schema, *keyed, buckets).await?, buckets)
            }
            Some(State::Ordered(ordered)) => (ordered.finish(&store).await?, 0),
            None => (Vec::new(), 0),
        };
        assemble::sync_folders(&store.backend, &stored).await?;
        let mut staged = assemble::describe(spec, &schema, buckets, stored, notes)?;
        compare(&store, head.as_deref(), &mut staged).await?;
        Ok(staged)
    }

    fn state(&mut self) -> Result<&mut State, StoreError> {
        let state = match self.state.take() {
            Some(state) => state,
            None => self.begin()?,
        };
        Ok(self.state.insert(state))
    }

    fn begin(&self) -> Result<State, StoreError> {
        let schema = &self.spec.schema;
        crate::schema_to_json(schema)?;
        let properties = encode::writer_properties(schema)?;
        Ok(match Keys::new(&self.spec.name, schema, &self.spec.keys)? {
            Some(keys) => {
                let folder = spill_folder(&self.store);
                let sink = Sink::new(Arc::clone(schema), keys.clone(), folder, self.budget);
                State::Keyed(Box::new(Keyed {
                    keys,
                    properties,
                    sink,
                }))
            }
            None => State::Ordered(Box::new(Ordered::new(Arc::clone(schema), properties, parallel()))),
        })
    }
}

/// Encoders at once.
pub(crate) fn parallel() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Beside the blobs of a local store, whose disk has to have room anyhow; else where the system keeps such files.
pub(crate) fn spill_folder(store: &FeatureStore) -> PathBuf {
    store.backend.root().cloned().unwrap_or_else(std::env::temp_dir)
}

/// Sets `base` and `changes` against the version that is the latest now; a commit on top of another one sets them anew.
pub(crate) async fn compare(
    store: &FeatureStore,
    head: Option<&DatasetManifest>,
    staged: &mut StagedDataset,
) -> Result<(), StoreError> {
    staged.base = head.map(|head| head.version);
    staged.changes = Some(match head {
        Some(head) => read::changes(&store.backend, &head.data, staged).await?,
        None => assemble::all_added(staged),
    });
    Ok(())
}

async fn encode_buckets(
    store: &FeatureStore,
    schema: &SchemaRef,
    keyed: Keyed,
    buckets: u32,
) -> Result<Vec<StoredPart>, StoreError> {
    let Keyed {
        keys,
        properties,
        sink,
    } = keyed;
    let units = sink.finish(buckets, parallel()).await?;
    let shared = Arc::new((Arc::clone(schema), properties, keys));
    let encode = |unit: Unit| {
        let shared = Arc::clone(&shared);
        async move {
            tokio::task::spawn_blocking(move || encode_unit(&shared.0, &shared.1, &shared.2, &unit, buckets))
                .await?
        }
    };
    let encoded = futures::stream::iter(units).map(encode).buffered(parallel());
    assemble::store_all(&store.backend, encoded).await
}

fn encode_unit(
    schema: &SchemaRef,
    properties: &WriterProperties,
    keys: &Keys,
    unit: &Unit,
    buckets: u32,
) -> Result<Vec<EncodedPart>, StoreError> {
    let mut parts = Vec::new();
    let mut order = None;
    unit.for_each_bucket(keys, buckets, |bucket, batches, places| {
        // The batches are the same for all buckets of a unit.
        let order = match &order {
            Some(order) => order,
            None => order.insert(keys.order(batches)?),
        };
        parts.push(encode::bucket(schema, properties, keys, order, bucket, batches, places)?.0);
        Ok(())
    })?;
    Ok(parts)
}
