//! An engine on a real store and a real database in a folder of its own.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use sea_orm::{ConnectionTrait, Database};
use serde_json::json;
use tempfile::TempDir;
use twinloom_meta::RunHead;
use twinloom_meta::{EventRow, Meta, TaskState};
use twinloom_runtime::{
    Clock, Engine, EngineConfig, EnvironmentSecrets, Programs, RunSummary, Service, ServiceConfig, Submit,
    SystemClock, TaskSummary, WaitFor,
    dags::{DagFolder, DagFolders},
};
use twinloom_spec::Plan;
use twinloom_store::{Commit, FeatureStore, Name, Producer, StageDataset, StoreLocation};

use crate::operators;

/// An engine's folder; engines come and go in it.
pub struct Home {
    pub dir: TempDir,
    database: Option<String>,
}

impl Home {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            database: None,
        }
    }

    /// One on SQLite, and one on Postgres where there is a server.
    pub async fn each() -> Vec<Self> {
        let mut homes = vec![Self::new()];
        match std::env::var("TWINLOOM_TEST_POSTGRES_URL") {
            Ok(server) => homes.push(Self::on_postgres(&server).await),
            Err(_) => {
                let _ = writeln!(
                    std::io::stderr(),
                    "SKIP: Postgres, because TWINLOOM_TEST_POSTGRES_URL is not set"
                );
            }
        }
        homes
    }

    /// In a schema of its own.
    async fn on_postgres(server: &str) -> Self {
        let schema = format!("r_{}", ulid::Ulid::generate()).to_lowercase();
        let admin = Database::connect(server).await.unwrap();
        admin
            .execute_unprepared(&format!("CREATE SCHEMA {schema}"))
            .await
            .unwrap();
        admin.close().await.unwrap();
        let separator = if server.contains('?') { '&' } else { '?' };
        let database = format!("{server}{separator}options=-csearch_path%3D{schema}");
        Self {
            database: Some(database),
            ..Self::new()
        }
    }

    pub async fn engine(&self) -> Engine {
        self.engine_with(|_| {}).await
    }

    pub async fn engine_with(&self, change: impl FnOnce(&mut EngineConfig)) -> Engine {
        let mut config = config(self.dir.path()).await;
        if let Some(url) = &self.database {
            config.meta = Meta::connect(url).await.unwrap();
        }
        change(&mut config);
        Engine::start(config).await.unwrap()
    }
}

/// The one file of that name below a folder whose path holds `part`.
pub fn file_below(folder: &Path, part: &str, name: &str) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with(name) && path.display().to_string().contains(part) {
                return path;
            }
        }
    }
    panic!("there is no {name} of {part}");
}

pub async fn config(home: &Path) -> EngineConfig {
    std::fs::create_dir_all(home).unwrap();
    let store = FeatureStore::open(&StoreLocation::new(home.join("store").display().to_string()))
        .await
        .unwrap();
    let meta = Meta::connect(&format!("sqlite://{}", home.join("twinloom.db").display()))
        .await
        .unwrap();
    let worker = vec![testbed().into_os_string(), "worker".into()];
    EngineConfig {
        home: home.to_owned(),
        store,
        meta,
        registry: Arc::new(operators::registry()),
        programs: Programs { worker, torch: None },
        secrets: Arc::new(EnvironmentSecrets),
        clock: Arc::new(SystemClock::new()) as Arc<dyn Clock>,
        max_parallel: 8,
        pools: BTreeMap::new(),
        code_revision: None,
    }
}

/// The example `testbed`, which cargo builds for the tests: a scheduler and a worker with these operators.
pub fn testbed() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let profile = here.ancestors().find(|folder| folder.join("examples").is_dir());
    profile
        .map(|folder| folder.join("examples/testbed"))
        .unwrap_or_default()
}

pub fn submit(plan: Plan) -> Submit {
    Submit {
        plan,
        dag_text: String::new(),
        trigger: json!({ "kind": "manual", "by": "test" }),
        run_id: None,
    }
}

/// Runs a plan to its end.
pub async fn run(engine: &Engine, plan: Plan) -> RunSummary {
    let run = engine.submit(submit(plan)).await.unwrap();
    let ended = engine.wait(&run, WaitFor::Ended).await.unwrap();
    // Memory and database tell the same.
    let stored = engine.summary(&run).await.unwrap();
    assert_eq!(states(&ended), states(&stored));
    assert_eq!(ended.state, stored.state);
    ended
}

pub fn states(run: &RunSummary) -> Vec<(String, TaskState)> {
    run.tasks
        .iter()
        .map(|task| (task.id.clone(), task.state))
        .collect()
}

pub fn task<'a>(run: &'a RunSummary, id: &str) -> &'a TaskSummary {
    run.tasks.iter().find(|task| task.id == id).unwrap()
}

pub async fn events(meta: &Meta, kind: &str) -> Vec<EventRow> {
    let all = meta.events_after(0, 100_000).await.unwrap();
    all.into_iter().filter(|event| event.kind == kind).collect()
}

/// The DAG files of a home.
pub fn dags(engine: &Engine) -> DagFolder {
    let config = engine.config();
    let folders = DagFolders {
        dags: vec![config.home.join("dags")],
        pipelines: vec![config.home.join("pipelines")],
    };
    DagFolder::open(folders, Arc::clone(&config.registry), Arc::clone(&config.clock)).unwrap()
}

/// Writes a DAG of one idle step that these lines below `on:` start.
pub fn write_dag(home: &Path, name: &str, on: &str) {
    let text = format!(
        "apiVersion: twinloom/v1\nkind: Dag\nname: {name}\n{on}\nsteps:\n  note: {{uses: idle, cache: false}}\n"
    );
    std::fs::create_dir_all(home.join("dags")).unwrap();
    std::fs::write(home.join(format!("dags/{name}.yaml")), text).unwrap();
}

/// A service that takes up runs of others only when it is told to.
pub async fn service(engine: Engine) -> Service {
    let config = ServiceConfig {
        recover_every: None,
        ..ServiceConfig::default()
    };
    let dags = dags(&engine);
    Service::start(engine, dags, config).await.unwrap()
}

/// Publishes a version of a dataset with the numbers of a range, outside of any run; its number.
pub async fn publish(engine: &Engine, dataset: &str, numbers: std::ops::Range<i64>) -> u64 {
    publish_with(engine, dataset, numbers, |_| {}).await
}

pub async fn publish_with(
    engine: &Engine,
    dataset: &str,
    numbers: std::ops::Range<i64>,
    change: impl FnOnce(&mut twinloom_store::StagedDataset),
) -> u64 {
    let store = &engine.config().store;
    let schema = Arc::new(Schema::new(vec![Field::new("number", DataType::Utf8, false)]));
    let mut writer = store.dataset_writer(StageDataset {
        name: Name::new(dataset).unwrap(),
        schema: Arc::clone(&schema),
        keys: vec!["number".to_owned()],
        producer: Producer::default(),
        inputs: Vec::new(),
    });
    let column: Arc<dyn Array> = Arc::new(StringArray::from_iter_values(
        numbers.map(|number| number.to_string()),
    ));
    writer
        .write(RecordBatch::try_new(schema, vec![column]).unwrap())
        .await
        .unwrap();
    let mut staged = writer.finish().await.unwrap();
    change(&mut staged);
    let commit = Commit {
        task_key: None,
        not_before: None,
        now: engine.now(),
    };
    let committed = store.commit_dataset(staged, commit).await.unwrap();
    engine.announce_dataset(&committed.manifest, "ada").await.unwrap();
    committed.manifest.version
}

/// Runs of a DAG, oldest first, once all have ended.
pub async fn runs_of(engine: &Engine, dag: &str) -> Vec<RunHead> {
    let filter = twinloom_meta::RunFilter {
        dag: Some(dag.to_owned()),
        limit: 10_000,
        ..Default::default()
    };
    let mut runs = engine.config().meta.runs(&filter).await.unwrap();
    for run in &mut runs {
        if !run.state.ended() {
            engine.wait(&run.id, WaitFor::Ended).await.unwrap();
            *run = engine.config().meta.run_head(&run.id).await.unwrap();
        }
    }
    runs.reverse();
    runs
}
