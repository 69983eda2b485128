//! A store in memory, documents in it, and a row-wise operator that splits them into words.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use arrow::{
    array::{ArrayRef, Int32Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use async_trait::async_trait;
use futures::TryStreamExt;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use twinloom_sdk::{
    ArtifactId, Context, Message, OperatorError, OperatorInfo, Outcome, OutputTarget, PROTOCOL, Registry,
    Reporter, RowOperator, RowWise, Runs, Staged, TaskDocument, records,
};
use twinloom_store::{
    ArtifactKind, Commit, DatasetManifest, FeatureStore, Name, Producer, ReadOptions, StageDataset,
    StoreLocation,
};

/// Splits a text into words, a row each; counts the documents it was given.
pub struct Words {
    pub mapped: Arc<AtomicU64>,
    /// The model that it works with, as the environment would name it; none at 0.
    pub model: Arc<AtomicU64>,
    pub entity: &'static str,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WordsConfig {
    pub upper: bool,
}

#[async_trait]
impl RowOperator for Words {
    type Config = WordsConfig;
    type State = WordsConfig;

    fn info(&self) -> OperatorInfo {
        OperatorInfo {
            name: "words",
            version: "1",
            summary: "Splits texts into words.",
            inputs: vec![records::any_dataset("documents", "texts")],
            outputs: vec![records::any_dataset("words", "words")],
            open_ports: false,
            runs: Runs::Inline,
            cacheable: true,
        }
    }

    fn keys(&self) -> &'static [&'static str] {
        &["id", "word"]
    }

    fn output_schema(&self, _state: &WordsConfig, _input: &Schema) -> Result<SchemaRef, OperatorError> {
        Ok(words_schema())
    }

    async fn open(&self, _context: &Context, config: WordsConfig) -> Result<WordsConfig, OperatorError> {
        Ok(config)
    }

    fn identity(&self, _state: &WordsConfig) -> Option<String> {
        let model = self.model.load(Ordering::Relaxed);
        (model > 0).then(|| model.to_string())
    }

    fn map(
        &self,
        _context: &Context,
        state: &WordsConfig,
        rows: RecordBatch,
    ) -> Result<RecordBatch, OperatorError> {
        self.mapped.fetch_add(rows.num_rows() as u64, Ordering::Relaxed);
        let texts = |column: usize| {
            rows.column(column)
                .as_any()
                .downcast_ref::<StringArray>()
                .unwrap()
        };
        let (mut ids, mut places, mut words) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..rows.num_rows() {
            for (place, word) in texts(1).value(row).split_whitespace().enumerate() {
                ids.push(if self.entity.is_empty() {
                    texts(0).value(row)
                } else {
                    self.entity
                });
                places.push(i32::try_from(place).unwrap());
                words.push(if state.upper {
                    word.to_uppercase()
                } else {
                    word.to_owned()
                });
            }
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(ids)),
            Arc::new(Int32Array::from(places)),
            Arc::new(StringArray::from(words)),
        ];
        Ok(RecordBatch::try_new(words_schema(), columns)?)
    }
}

fn words_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("word", DataType::Int32, false),
        Field::new("text", DataType::Utf8, false),
    ]))
}

fn documents_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("text", DataType::Utf8, false),
    ]))
}

/// A store, an operator, and what it has been given so far.
pub struct Bench {
    pub store: FeatureStore,
    pub registry: Registry,
    pub model: Arc<AtomicU64>,
    pub mapped: Arc<AtomicU64>,
    pub messages: Arc<Mutex<Vec<Message>>>,
    folder: tempfile::TempDir,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with_entity("").await
    }

    /// `entity` is written as the key of every row, whatever document it comes from.
    pub async fn with_entity(entity: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().join("store").display());
        let store = FeatureStore::open(&StoreLocation::new(url)).await.unwrap();
        let mapped = Arc::new(AtomicU64::new(0));
        let model = Arc::new(AtomicU64::new(0));
        let registry = Registry::new().with(RowWise::new(Words {
            mapped: Arc::clone(&mapped),
            model: Arc::clone(&model),
            entity,
        }));
        Self {
            store,
            registry,
            mapped,
            model,
            messages: Arc::default(),
            folder,
        }
    }

    /// Publishes documents.
    pub async fn documents(&self, rows: &BTreeMap<String, String>) -> Arc<DatasetManifest> {
        let spec = StageDataset {
            name: Name::new("documents").unwrap(),
            schema: documents_schema(),
            keys: vec!["id".to_owned()],
            producer: Producer::default(),
            inputs: Vec::new(),
        };
        let mut writer = self.store.dataset_writer(spec);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(rows.keys())),
            Arc::new(StringArray::from_iter_values(rows.values())),
        ];
        writer
            .write(RecordBatch::try_new(documents_schema(), columns).unwrap())
            .await
            .unwrap();
        let staged = writer.finish().await.unwrap();
        self.store
            .commit_dataset(staged, commit())
            .await
            .unwrap()
            .manifest
    }

    /// The task document for `words` over a version of the documents.
    pub fn task(&self, documents: &DatasetManifest, config: Value) -> TaskDocument {
        let input = ArtifactId {
            kind: ArtifactKind::Dataset,
            id: documents.id(),
        };
        let output = OutputTarget {
            kind: ArtifactKind::Dataset,
            name: Name::new("words").unwrap(),
        };
        TaskDocument {
            protocol: PROTOCOL,
            run: "run".to_owned(),
            dag: "dag".to_owned(),
            task: "words".to_owned(),
            attempt: 1,
            operator: "words".to_owned(),
            config_hash: config.to_string(),
            config,
            inputs: [("documents".to_owned(), vec![input])].into_iter().collect(),
            outputs: [("words".to_owned(), output)].into_iter().collect(),
            store: self.store.location().clone(),
            vectors: self.folder.path().join("vectors"),
            work_dir: self.folder.path().to_owned(),
            now: Timestamp::UNIX_EPOCH,
            seed: 1,
            code_revision: None,
            decision: None,
            upstream_metrics: BTreeMap::new(),
        }
    }

    /// Runs a task and gives its outcome as it is.
    pub async fn execute(&self, task: TaskDocument) -> Result<Outcome, OperatorError> {
        let messages = Arc::clone(&self.messages);
        let reporter = Reporter::new(move |message| messages.lock().unwrap().push(message));
        twinloom_sdk::execute(
            &self.registry,
            task,
            Some(self.store.clone()),
            reporter,
            CancellationToken::new(),
        )
        .await
    }

    /// Runs `words`, commits what it staged, and gives the version with how it was made and how many rows were mapped.
    pub async fn words(
        &self,
        documents: &DatasetManifest,
        config: Value,
    ) -> (Arc<DatasetManifest>, String, u64) {
        let before = self.mapped.load(Ordering::Relaxed);
        let Ok(Outcome::Done(mut done)) = self.execute(self.task(documents, config)).await else {
            panic!("it did not succeed")
        };
        let Some(Staged::Dataset(staged)) = done.outputs.swap_remove("words") else {
            panic!("no dataset")
        };
        let committed = self.store.commit_dataset(staged, commit()).await.unwrap();
        let mode = done.metrics["mode"].as_str().unwrap().to_owned();
        (
            committed.manifest,
            mode,
            self.mapped.load(Ordering::Relaxed) - before,
        )
    }

    /// All rows of a version as `id/place/text`, sorted.
    pub async fn rows(&self, manifest: &DatasetManifest) -> Vec<String> {
        let batches: Vec<RecordBatch> = self
            .store
            .read(manifest, ReadOptions::default())
            .try_collect()
            .await
            .unwrap();
        let mut rows = Vec::new();
        for batch in &batches {
            let text = |column: usize, row: usize| {
                arrow::util::display::array_value_to_string(batch.column(column), row).unwrap()
            };
            rows.extend(
                (0..batch.num_rows())
                    .map(|row| format!("{}/{}/{}", text(0, row), text(1, row), text(2, row))),
            );
        }
        rows.sort();
        rows
    }
}

pub fn commit() -> Commit {
    Commit {
        task_key: None,
        not_before: None,
        now: Timestamp::UNIX_EPOCH,
    }
}

pub fn config() -> Value {
    json!({ "upper": false })
}
