//! For tests: runs operators as the engine does, on a real store, and commits what they stage.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
};

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use twinloom_sdk::{
    ArtifactId, Assignment, Decision, Message, OperatorError, Outcome, OutputTarget, PROTOCOL, Reporter,
    Staged, TaskDocument, execute,
};
use twinloom_store::{
    ArtifactKind, Commit, DatasetManifest, FeatureStore, Label, ModelManifest, Name, Producer, ReadOptions,
    StageDataset, StageModel, StoreLocation, VersionId,
};

/// A home of its own, with a local store.
pub struct Home {
    pub dir: tempfile::TempDir,
    pub store: FeatureStore,
    pub messages: Arc<Mutex<Vec<Message>>>,
    pub cancelled: CancellationToken,
    now: Timestamp,
}

impl Home {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let location = StoreLocation {
            url: format!("file://{}", dir.path().join("store").display()),
            options: BTreeMap::new(),
        };
        let store = FeatureStore::open(&location).await.unwrap();
        std::fs::create_dir_all(dir.path().join("work")).unwrap();
        let messages = Arc::new(Mutex::new(Vec::new()));
        Self {
            dir,
            store,
            messages,
            cancelled: CancellationToken::new(),
            now: "2026-01-02T03:04:05Z".parse().unwrap(),
        }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Publishes rows as a dataset.
    pub async fn publish(&self, name: &str, keys: &[&str], rows: RecordBatch) -> Arc<DatasetManifest> {
        let mut writer = self.store.dataset_writer(StageDataset {
            name: Name::new(name).unwrap(),
            schema: rows.schema(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            producer: Producer::default(),
            inputs: Vec::new(),
        });
        writer.write(rows).await.unwrap();
        self.commit(writer.finish().await.unwrap()).await
    }

    pub async fn commit(&self, staged: twinloom_store::StagedDataset) -> Arc<DatasetManifest> {
        self.store
            .commit_dataset(staged, self.how())
            .await
            .unwrap()
            .manifest
    }

    /// Registers a model of one small file.
    pub async fn model(&self, name: &str, content: &str) -> Arc<ModelManifest> {
        let mut writer = self.store.model_writer(StageModel {
            name: Name::new(name).unwrap(),
            base: None,
            config: Value::Null,
            card: String::new(),
            metrics: BTreeMap::new(),
            producer: Producer::default(),
            inputs: Vec::new(),
        });
        writer
            .add_bytes("weights.txt", content.to_owned().into())
            .await
            .unwrap();
        self.store
            .commit_model(writer.finish().await.unwrap(), self.how())
            .await
            .unwrap()
            .manifest
    }

    pub async fn alias(&self, model: &str, alias: &str, version: u64, by: &str) {
        let label = Label {
            version,
            moved_at: self.now,
            by: by.into(),
            reason: "because".into(),
            previous: None,
        };
        self.store
            .set_alias(&Name::new(model).unwrap(), alias, label)
            .await
            .unwrap();
    }

    /// A task of one of the registered operators.
    pub fn task(&self, operator: &str, config: Value) -> TaskDocument {
        TaskDocument {
            protocol: PROTOCOL,
            run: "run1".into(),
            dag: "test".into(),
            task: operator.into(),
            attempt: 1,
            operator: operator.into(),
            config_hash: blake3::hash(config.to_string().as_bytes()).to_hex().to_string(),
            config,
            inputs: IndexMap::new(),
            outputs: IndexMap::new(),
            store: self.store.location().clone(),
            vectors: self.path().join("vectors"),
            work_dir: self.path().join("work"),
            now: self.now,
            seed: 1,
            code_revision: None,
            decision: None,
            upstream_metrics: BTreeMap::new(),
        }
    }

    pub async fn run(&self, task: impl Into<Assignment>) -> Result<Outcome, OperatorError> {
        let messages = Arc::clone(&self.messages);
        let reporter = Reporter::new(move |message| messages.lock().unwrap().push(message));
        execute(
            &crate::registry(),
            task,
            Some(self.store.clone()),
            reporter,
            self.cancelled.clone(),
        )
        .await
    }

    /// Runs a task that ends, and commits its datasets.
    pub async fn done(&self, task: impl Into<Assignment>) -> Ended {
        let Outcome::Done(done) = self.run(task).await.unwrap() else {
            panic!("it waits")
        };
        let mut datasets = BTreeMap::new();
        for (port, staged) in done.outputs {
            if let Staged::Dataset(staged) = staged {
                datasets.insert(port, self.commit(staged).await);
            }
        }
        Ended {
            datasets,
            metrics: done.metrics.into(),
            aliases: done.aliases,
        }
    }

    /// All rows of a version, in one batch.
    pub async fn rows(&self, manifest: &DatasetManifest) -> RecordBatch {
        let batches: Vec<_> = self
            .store
            .read(manifest, ReadOptions::default())
            .try_collect()
            .await
            .unwrap();
        arrow::compute::concat_batches(&FeatureStore::schema_of(manifest).unwrap(), &batches).unwrap()
    }

    /// What was logged.
    pub fn log(&self) -> String {
        let messages = self.messages.lock().unwrap();
        let lines = messages.iter().filter_map(|m| match m {
            Message::Log { message, .. } => Some(message.as_str()),
            _ => None,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn how(&self) -> Commit {
        Commit {
            task_key: None,
            not_before: None,
            now: self.now,
        }
    }
}

/// What a task left.
pub struct Ended {
    pub datasets: BTreeMap<String, Arc<DatasetManifest>>,
    pub metrics: Value,
    pub aliases: Vec<twinloom_sdk::AliasMove>,
}

/// Connects inputs, outputs and a decision.
pub trait Wire: Sized {
    fn input(self, port: &str, kind: ArtifactKind, id: VersionId) -> Self;
    fn dataset(self, port: &str, manifest: &DatasetManifest) -> Self {
        self.input(port, ArtifactKind::Dataset, manifest.id())
    }
    fn model(self, port: &str, manifest: &ModelManifest) -> Self {
        self.input(port, ArtifactKind::Model, manifest.id())
    }
    fn output(self, port: &str) -> Self;
    fn decided(self, approved: bool, comment: Option<&str>) -> Self;
}

impl Wire for TaskDocument {
    fn input(mut self, port: &str, kind: ArtifactKind, id: VersionId) -> Self {
        self.inputs
            .entry(port.to_owned())
            .or_default()
            .push(ArtifactId { kind, id });
        self
    }

    fn output(mut self, port: &str) -> Self {
        let name = Name::new(format!("test.{port}")).unwrap();
        self.outputs.insert(
            port.to_owned(),
            OutputTarget {
                kind: ArtifactKind::Dataset,
                name,
            },
        );
        self
    }

    fn decided(mut self, approved: bool, comment: Option<&str>) -> Self {
        let (at, comment) = (self.now, comment.map(str::to_owned));
        self.decision = Some(Decision {
            approved,
            by: "ada".into(),
            at,
            comment,
        });
        self
    }
}
