//! An engine on a real store and a real database in a folder of its own.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde_json::json;
use tempfile::TempDir;
use twinloom_meta::{EventRow, Meta, TaskState};
use twinloom_runtime::{
    Clock, Engine, EngineConfig, Programs, RunSummary, Submit, SystemClock, TaskSummary, WaitFor,
};
use twinloom_spec::Plan;
use twinloom_store::{FeatureStore, StoreLocation};

use crate::operators;

/// An engine's folder; engines come and go in it.
pub struct Home {
    pub dir: TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub async fn engine(&self) -> Engine {
        self.engine_with(|_| {}).await
    }

    pub async fn engine_with(&self, change: impl FnOnce(&mut EngineConfig)) -> Engine {
        let mut config = config(self.dir.path()).await;
        change(&mut config);
        Engine::start(config).await.unwrap()
    }
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
        clock: Arc::new(SystemClock::new()) as Arc<dyn Clock>,
        max_parallel: 8,
        pools: BTreeMap::new(),
        code_revision: None,
    }
}

/// The example `testbed`, which cargo builds for the tests: a scheduler and a worker with these operators.
pub fn testbed() -> std::path::PathBuf {
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
