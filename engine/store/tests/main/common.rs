//! Rows, writers and stores for the tests.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arrow::{
    array::{Array, AsArray, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Int64Type, Schema, SchemaRef},
};
use futures::TryStreamExt;
use jiff::Timestamp;
use twinloom_store::{
    Commit, CommitOutcome, Committed, DatasetManifest, DatasetWriter, FeatureStore, Name, Producer,
    ReadOptions, StageDataset, StagedDataset, StoreError, StoreLocation,
};

/// Rows by key: `(id, chunk)` to text.
pub type Rows = BTreeMap<(String, i64), String>;

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("chunk", DataType::Int64, false),
        Field::new("text", DataType::Utf8, true),
    ]))
}

pub fn spec(dataset: &str) -> StageDataset {
    StageDataset {
        name: name(dataset),
        schema: schema(),
        keys: vec!["id".to_owned(), "chunk".to_owned()],
        producer: Producer {
            run: "r1".to_owned(),
            operator: "test".to_owned(),
            ..Producer::default()
        },
        inputs: Vec::new(),
    }
}

pub fn batch<'a>(rows: impl IntoIterator<Item = (&'a str, i64, &'a str)>) -> RecordBatch {
    let rows: Vec<_> = rows.into_iter().collect();
    let ids = StringArray::from_iter_values(rows.iter().map(|row| row.0));
    let chunks = Int64Array::from_iter_values(rows.iter().map(|row| row.1));
    let texts = StringArray::from_iter_values(rows.iter().map(|row| row.2));
    RecordBatch::try_new(schema(), vec![Arc::new(ids), Arc::new(chunks), Arc::new(texts)]).unwrap()
}

pub fn batch_of(rows: &Rows) -> RecordBatch {
    batch(
        rows.iter()
            .map(|((id, chunk), text)| (id.as_str(), *chunk, text.as_str())),
    )
}

/// `count` entities with one row each.
pub fn many(count: usize) -> Rows {
    (0..count)
        .map(|n| ((format!("doc-{n}"), 0), format!("text of document {n}")))
        .collect()
}

pub async fn stage(
    mut writer: DatasetWriter,
    batches: impl IntoIterator<Item = RecordBatch>,
) -> Result<StagedDataset, StoreError> {
    for batch in batches {
        writer.write(batch).await?;
    }
    writer.finish().await
}

pub fn commit(task: Option<&str>) -> Commit {
    Commit {
        task_key: task.map(str::to_owned),
        not_before: None,
        now: Timestamp::from_second(1_700_000_000).unwrap(),
    }
}

/// Writes and commits the rows.
pub async fn publish(store: &FeatureStore, dataset: &str, rows: &Rows) -> Committed<DatasetManifest> {
    let staged = stage(store.dataset_writer(spec(dataset)), [batch_of(rows)])
        .await
        .unwrap();
    store.commit_dataset(staged, commit(None)).await.unwrap()
}

/// The same, and it must be a new version.
pub async fn publish_new(store: &FeatureStore, dataset: &str, rows: &Rows) -> Arc<DatasetManifest> {
    let committed = publish(store, dataset, rows).await;
    assert_eq!(committed.outcome, CommitOutcome::New);
    committed.manifest
}

/// All rows of a version.
pub async fn rows_of(store: &FeatureStore, manifest: &DatasetManifest) -> Rows {
    read(store, manifest, ReadOptions::default()).await.unwrap()
}

pub async fn read(
    store: &FeatureStore,
    manifest: &DatasetManifest,
    options: ReadOptions,
) -> Result<Rows, StoreError> {
    let batches: Vec<RecordBatch> = store.read(manifest, options).try_collect().await?;
    let mut rows = Rows::new();
    for batch in batches {
        let ids: &StringArray = batch.column(0).as_string();
        let chunks = batch.column(1).as_primitive::<Int64Type>();
        let texts: &StringArray = batch.column(2).as_string();
        for row in 0..batch.num_rows() {
            let key = (ids.value(row).to_owned(), chunks.value(row));
            assert!(!texts.is_null(row));
            assert_eq!(
                rows.insert(key, texts.value(row).to_owned()),
                None,
                "a row came twice"
            );
        }
    }
    Ok(rows)
}

/// A place where a store can be opened again and again.
pub struct Place {
    pub location: StoreLocation,
    _folder: Option<tempfile::TempDir>,
}

impl Place {
    pub fn memory() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            location: StoreLocation::new(format!("memory://test-{number}")),
            _folder: None,
        }
    }

    pub fn local() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = StoreLocation::new(folder.path().join("store").display().to_string());
        Self {
            location,
            _folder: Some(folder),
        }
    }

    pub fn remote(location: StoreLocation) -> Self {
        Self {
            location,
            _folder: None,
        }
    }

    pub async fn open(&self) -> FeatureStore {
        FeatureStore::open(&self.location).await.unwrap()
    }

    /// Opened, and kept as long as the store is used.
    pub async fn open_kept(self) -> (Self, FeatureStore) {
        let store = self.open().await;
        (self, store)
    }

    /// The folder of a local store.
    pub fn folder(&self) -> std::path::PathBuf {
        std::path::PathBuf::from(&self.location.url)
    }
}
