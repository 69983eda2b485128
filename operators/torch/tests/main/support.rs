//! A store, and the worker as a process that is given a task.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use jiff::Timestamp;
use serde_json::Value;
use twinloom_sdk::{ArtifactId, Message, OperatorError, OutputTarget, PROTOCOL, Staged, TaskDocument};
use twinloom_store::{
    ArtifactKind, Commit, DatasetManifest, FeatureStore, Name, Producer, ReadOptions, StageDataset,
    StoreLocation,
};

/// The binary, without the environment that its re-start would set.
pub fn torch() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_twinloom-torch"));
    command.env_remove("OMP_WAIT_POLICY").stdin(Stdio::null());
    command
}

/// The embedder's weights, or a printed reason why there are none.
pub fn embedder() -> Option<PathBuf> {
    let set_up = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/minilm");
    let dir = std::env::var_os("TWINLOOM_EMBEDDER").map_or(set_up, PathBuf::from);
    if dir.join("model.safetensors").is_file() {
        return Some(dir);
    }
    let _ = writeln!(
        std::io::stderr(),
        "SKIP: no embedder in {}: run infra/setup/embedder.sh",
        dir.display()
    );
    None
}

/// What a worker said, and how it ended.
pub struct Said {
    pub messages: Vec<Message>,
    pub success: bool,
}

impl Said {
    pub fn error(&self) -> &OperatorError {
        let error = |message: &_| matches!(message, Message::Error { .. });
        match self.messages.iter().find(|message| error(message)) {
            Some(Message::Error { error }) => error,
            _ => panic!("no error in {:?}", self.messages),
        }
    }

    pub fn metrics(&self) -> &serde_json::Map<String, Value> {
        // A busy machine may let a sign of life through behind it.
        let result = |message: &_| matches!(message, Message::Result { .. });
        match self.messages.iter().find(|message| result(message)) {
            Some(Message::Result { metrics, .. }) => metrics,
            _ => panic!("no result in {:?}", self.messages),
        }
    }
}

/// A store on local files.
pub struct Bench {
    pub store: FeatureStore,
    folder: tempfile::TempDir,
}

impl Bench {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().join("store").display());
        Self {
            store: FeatureStore::open(&StoreLocation::new(url)).await.unwrap(),
            folder,
        }
    }

    /// Publishes rows as a dataset.
    pub async fn publish(&self, name: &str, rows: RecordBatch, keys: &[&str]) -> Arc<DatasetManifest> {
        let spec = StageDataset {
            name: Name::new(name).unwrap(),
            schema: rows.schema(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            producer: Producer::default(),
            inputs: Vec::new(),
        };
        let mut writer = self.store.dataset_writer(spec);
        writer.write(rows).await.unwrap();
        self.store
            .commit_dataset(writer.finish().await.unwrap(), commit())
            .await
            .unwrap()
            .manifest
    }

    /// A task with one dataset in and one out, both at the port `chunks`.
    pub fn task(&self, operator: &str, input: &DatasetManifest, config: Value) -> TaskDocument {
        let output = OutputTarget {
            kind: ArtifactKind::Dataset,
            name: Name::new("made").unwrap(),
        };
        TaskDocument {
            protocol: PROTOCOL,
            run: "run".to_owned(),
            dag: "dag".to_owned(),
            task: operator.to_owned(),
            attempt: 1,
            operator: operator.to_owned(),
            config_hash: config.to_string(),
            config,
            inputs: [(
                "chunks".to_owned(),
                vec![ArtifactId {
                    kind: ArtifactKind::Dataset,
                    id: input.id(),
                }],
            )]
            .into(),
            outputs: [("chunks".to_owned(), output)].into(),
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

    /// Gives a task to the worker and commits what it staged.
    pub async fn run(
        &self,
        task: &TaskDocument,
        environment: &[(&str, &Path)],
    ) -> (Said, Option<Arc<DatasetManifest>>) {
        let mut worker = torch();
        worker.envs(environment.iter().copied());
        self.run_in(worker, task).await
    }

    /// The same, with the worker started in some way of its own; what is no dataset is left uncommitted.
    pub async fn run_in(
        &self,
        mut worker: Command,
        task: &TaskDocument,
    ) -> (Said, Option<Arc<DatasetManifest>>) {
        worker.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut worker = worker.spawn().unwrap();
        let mut stdin = worker.stdin.take().unwrap();
        writeln!(stdin, "{}", serde_json::to_string(task).unwrap()).unwrap();
        // stdin stays open: its end would tell the worker that the scheduler is gone.
        let mut stdout = std::io::BufReader::new(worker.stdout.take().unwrap());
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stdout, &mut text).unwrap();
        drop(stdin);
        let success = worker.wait().unwrap().success();
        let messages: Vec<Message> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let mut committed = None;
        for message in &messages {
            let Message::Output { artifact, .. } = message else {
                continue;
            };
            let Staged::Dataset(staged) = artifact.as_ref() else {
                continue;
            };
            committed = Some(
                self.store
                    .commit_dataset(staged.clone(), commit())
                    .await
                    .unwrap()
                    .manifest,
            );
        }
        (Said { messages, success }, committed)
    }

    /// All rows of a version.
    pub async fn rows(&self, manifest: &DatasetManifest) -> Vec<RecordBatch> {
        self.store
            .read(manifest, ReadOptions::default())
            .try_collect()
            .await
            .unwrap()
    }
}

fn commit() -> Commit {
    Commit {
        task_key: None,
        not_before: None,
        now: Timestamp::UNIX_EPOCH,
    }
}
