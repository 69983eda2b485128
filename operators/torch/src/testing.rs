//! What tests of operators share: a store in a folder, datasets in it, and a run of an operator as the engine does it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use arrow::array::{Array, ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::SchemaRef;
use futures::TryStreamExt;
use indexmap::IndexMap;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use twinloom_sdk::{
    ArtifactId, Message, OperatorError, Outcome, OutputTarget, PROTOCOL, Reporter, Staged, TaskDocument,
    execute, records,
};
use twinloom_store::{
    ArtifactKind, Commit, DatasetManifest, FeatureStore, Name, Producer, ReadOptions, StageDataset,
    StoreLocation, VersionId,
};

/// The golden files of that name: the committed ones, or those that `make parity` has just made.
pub fn golden(name: &str) -> PathBuf {
    let made = std::env::var_os("TWINLOOM_GOLDEN").map(PathBuf::from);
    made.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"))
        .join(name)
}

/// A store of its own, and everything that operators reported.
pub struct Bench {
    pub dir: tempfile::TempDir,
    pub store: FeatureStore,
    pub messages: Arc<Mutex<Vec<Message>>>,
    pub cancelled: CancellationToken,
    location: StoreLocation,
    tasks: u64,
}

/// What a run published.
#[derive(Debug)]
pub struct Published {
    pub outputs: IndexMap<String, ArtifactId>,
    pub metrics: Map<String, Value>,
}

impl Bench {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let location = StoreLocation::new(dir.path().join("store").to_string_lossy());
        let store = FeatureStore::open(&location).await.unwrap();
        let (messages, cancelled) = (Arc::default(), CancellationToken::new());
        Self {
            dir,
            store,
            messages,
            cancelled,
            location,
            tasks: 0,
        }
    }

    /// Publishes rows as a dataset.
    pub async fn dataset(&self, name: &str, keys: &[&str], rows: RecordBatch) -> ArtifactId {
        let mut writer = self.store.dataset_writer(StageDataset {
            name: Name::new(name).unwrap(),
            schema: rows.schema(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            producer: Producer::default(),
            inputs: Vec::new(),
        });
        writer.write(rows).await.unwrap();
        let staged = writer.finish().await.unwrap();
        let committed = self.store.commit_dataset(staged, commit()).await.unwrap();
        ArtifactId {
            kind: ArtifactKind::Dataset,
            id: committed.manifest.id(),
        }
    }

    /// Runs an operator and commits what it staged under `operator-port`.
    pub async fn run(
        &mut self,
        operator: &str,
        config: Value,
        inputs: &[(&str, &ArtifactId)],
    ) -> Result<Published, OperatorError> {
        self.tasks += 1;
        let registry = crate::registry();
        let info = registry.get(operator).unwrap().info();
        let work_dir = self.dir.path().join(format!("work-{}", self.tasks));
        std::fs::create_dir_all(&work_dir).unwrap();
        let outputs = info.outputs.iter().map(|port| {
            let kind = match port.kind {
                twinloom_spec::PortKind::Model => ArtifactKind::Model,
                _ => ArtifactKind::Dataset,
            };
            let name = Name::new(format!("{operator}-{}", port.name)).unwrap();
            (port.name.clone(), OutputTarget { kind, name })
        });
        let task = TaskDocument {
            protocol: PROTOCOL,
            run: "run".to_owned(),
            dag: "dag".to_owned(),
            task: format!("task-{}", self.tasks),
            attempt: 1,
            operator: operator.to_owned(),
            config_hash: blake3::hash(config.to_string().as_bytes()).to_string(),
            config,
            inputs: inputs
                .iter()
                .map(|(port, id)| ((*port).to_owned(), vec![(*id).clone()]))
                .collect(),
            outputs: outputs.collect(),
            store: self.location.clone(),
            vectors: self.dir.path().join("vectors"),
            work_dir,
            now: jiff::Timestamp::UNIX_EPOCH,
            seed: 7,
            code_revision: None,
            decision: None,
            upstream_metrics: Default::default(),
        };
        let messages = Arc::clone(&self.messages);
        let reporter = Reporter::new(move |message| messages.lock().unwrap().push(message));
        let outcome = execute(
            &registry,
            task,
            Some(self.store.clone()),
            reporter,
            self.cancelled.clone(),
        )
        .await?;
        let Outcome::Done(done) = outcome else {
            panic!("{operator} waits")
        };
        let mut published = Published {
            outputs: IndexMap::new(),
            metrics: done.metrics,
        };
        for (port, staged) in done.outputs {
            let id = match staged {
                Staged::Dataset(staged) => {
                    let id = self
                        .store
                        .commit_dataset(staged, commit())
                        .await
                        .unwrap()
                        .manifest
                        .id();
                    ArtifactId {
                        kind: ArtifactKind::Dataset,
                        id,
                    }
                }
                Staged::Model(staged) => {
                    let id = self
                        .store
                        .commit_model(staged, commit())
                        .await
                        .unwrap()
                        .manifest
                        .id();
                    ArtifactId {
                        kind: ArtifactKind::Model,
                        id,
                    }
                }
            };
            published.outputs.insert(port, id);
        }
        Ok(published)
    }

    /// The files of a model, in a folder.
    pub async fn checkout(&self, id: &VersionId, folder: &str) -> PathBuf {
        let dir = self.dir.path().join(folder);
        let manifest = self.store.model_exact(id).await.unwrap();
        self.store.checkout_model(&manifest, &dir).await.unwrap();
        dir
    }

    /// All rows of a dataset.
    pub async fn rows(&self, id: &VersionId) -> Vec<RecordBatch> {
        let manifest: Arc<DatasetManifest> = self.store.dataset_exact(id).await.unwrap();
        self.store
            .read(&manifest, ReadOptions::default())
            .try_collect()
            .await
            .unwrap()
    }

    /// The reported points of a curve.
    pub fn curve(&self, wanted: &str) -> Vec<(u64, f64)> {
        let messages = self.messages.lock().unwrap();
        let points = messages.iter().filter_map(|message| match message {
            Message::Metric {
                name,
                value,
                step: Some(step),
            } if name == wanted => Some((*step, *value)),
            _ => None,
        });
        points.collect()
    }
}

fn commit() -> Commit {
    Commit {
        task_key: None,
        not_before: None,
        now: jiff::Timestamp::UNIX_EPOCH,
    }
}

/// Rows of `cleaned_documents` from ids, titles and texts.
pub fn documents(rows: &[(String, Option<String>, String)]) -> RecordBatch {
    table(
        records::cleaned_documents(),
        rows.len(),
        &[
            ("id", text(rows.iter().map(|row| row.0.clone()))),
            (
                "title",
                Arc::new(rows.iter().map(|row| row.1.clone()).collect::<StringArray>()),
            ),
            ("text", text(rows.iter().map(|row| row.2.clone()))),
            ("category", text(rows.iter().map(|_| "article".to_owned()))),
            ("platform", text(rows.iter().map(|_| "test".to_owned()))),
        ],
    )
}

/// Rows of `instruct` from documents, instructions, answers and whether they are held out.
pub fn instruct(rows: &[(String, String, String, bool)]) -> RecordBatch {
    table(
        records::instruct(),
        rows.len(),
        &[
            ("document_id", text(rows.iter().map(|row| row.0.clone()))),
            (
                "sample",
                Arc::new((0..i32::try_from(rows.len()).unwrap()).collect::<Int32Array>()),
            ),
            ("category", text(rows.iter().map(|_| "article".to_owned()))),
            ("instruction", text(rows.iter().map(|row| row.1.clone()))),
            ("answer", text(rows.iter().map(|row| row.2.clone()))),
            (
                "split",
                text(
                    rows.iter()
                        .map(|row| if row.3 { "eval" } else { "train" }.to_owned()),
                ),
            ),
        ],
    )
}

/// Rows of `preferences` from prompts, better and worse answers and whether they are held out.
pub fn preferences(rows: &[(String, String, String, bool)]) -> RecordBatch {
    let split = |row: &(_, _, _, bool)| if row.3 { "eval" } else { "train" }.to_owned();
    table(
        records::preferences(),
        rows.len(),
        &[
            ("prompt", text(rows.iter().map(|row| row.0.clone()))),
            ("chosen", text(rows.iter().map(|row| row.1.clone()))),
            ("rejected", text(rows.iter().map(|row| row.2.clone()))),
            ("split", text(rows.iter().map(split))),
        ],
    )
}

/// A number of the report.
pub fn figure(report: &[RecordBatch], metric: &str, subject: &str) -> Option<f64> {
    report.iter().find_map(|rows| {
        let column = |name: &str| {
            rows.column_by_name(name)
                .unwrap()
                .as_any()
                .downcast_ref::<StringArray>()
                .unwrap()
                .clone()
        };
        let (metrics, subjects) = (column("metric"), column("subject"));
        let at = (0..rows.num_rows())
            .find(|row| metrics.value(*row) == metric && subjects.value(*row) == subject)?;
        Some(
            rows.column_by_name("value")
                .unwrap()
                .as_any()
                .downcast_ref::<Float64Array>()
                .unwrap()
                .value(at),
        )
    })
}

fn text(values: impl Iterator<Item = String>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<StringArray>())
}

/// Columns that are not given are null.
fn table(schema: SchemaRef, rows: usize, columns: &[(&str, ArrayRef)]) -> RecordBatch {
    let column = |name: &str| {
        columns
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, column)| Arc::clone(column))
    };
    let all = schema
        .fields()
        .iter()
        .map(|field| column(field.name()).unwrap_or_else(|| new_null_array(field.data_type(), rows)));
    RecordBatch::try_new(Arc::clone(&schema), all.collect()).unwrap()
}
