//! Sixteen at once: no version is lost, none is there twice.

use std::{
    collections::HashSet,
    process::{Command, Stdio},
};

use twinloom_store::{CommitOutcome, FeatureStore, StoreLocation};

use crate::common::*;

const PUBLISHERS: usize = 16;

pub async fn suite(place: &Place) {
    distinct(place).await;
    same_task(place).await;
    same_content(place).await;
}

/// Whatever takes time can run on any thread.
#[tokio::test]
async fn everything_can_be_spawned() {
    fn is_send<T: Send>(_: &T) {}
    let store = Place::memory().open().await;
    let first = publish_new(&store, "d", &many(2)).await;
    let dir = std::path::Path::new("/nowhere");
    is_send(&FeatureStore::open(store.location()));
    is_send(&store.dataset(&"d".parse().unwrap()));
    is_send(&store.diff(&first, &first));
    is_send(&store.import_dataset(spec("d"), dir));
    is_send(&store.export_dataset(&first, twinloom_store::ExportFormat::Jsonl, dir));
    is_send(&store.verify(|_| {}));
    is_send(&store.gc(twinloom_store::GcOptions::new(jiff::Timestamp::UNIX_EPOCH)));
    is_send(&store.lineage(twinloom_store::ArtifactKind::Dataset, &first.id()));
    is_send(&store.tags(&name("d")));
    is_send(&store.put_blob_file(dir, "x"));
    is_send(&store.models());
    is_send(&store.all_models());
    let mut delta = store.delta_writer(spec("d"), first);
    is_send(&delta.remove("doc-1"));
    is_send(&delta.write(batch([("doc-7", 0, "x")])));
    is_send(&delta.finish());
}

/// Every publisher has its own connection, its own rows and its own task.
async fn distinct(place: &Place) {
    let publish = |n: usize| {
        let location = place.location.clone();
        async move { publish_as(&location, "distinct", n, &format!("task-{n}")).await }
    };
    let outcomes = all(publish).await;
    assert!(outcomes.iter().all(|(outcome, _)| *outcome == CommitOutcome::New));
    let versions: HashSet<u64> = outcomes.iter().map(|(_, version)| *version).collect();
    assert_eq!(versions, (1..=PUBLISHERS as u64).collect());
    check(&place.open().await, "distinct", PUBLISHERS).await;
}

/// Attempts of one task that came out differently: one version.
async fn same_task(place: &Place) {
    let publish = |n: usize| {
        let location = place.location.clone();
        async move { publish_as(&location, "same_task", n, "task").await }
    };
    let outcomes = all(publish).await;
    assert_eq!(
        outcomes
            .iter()
            .filter(|(outcome, _)| *outcome == CommitOutcome::New)
            .count(),
        1
    );
    assert!(outcomes.iter().all(|(_, version)| *version == 1));
}

/// The same rows by different tasks: one version.
async fn same_content(place: &Place) {
    let publish = |n: usize| {
        let location = place.location.clone();
        async move { publish_as(&location, "same_content", 5, &format!("task-{n}")).await }
    };
    let outcomes = all(publish).await;
    assert_eq!(
        outcomes
            .iter()
            .filter(|(outcome, _)| *outcome == CommitOutcome::New)
            .count(),
        1
    );
    assert!(outcomes.iter().all(|(_, version)| *version == 1));
}

async fn all<F: Future<Output = (CommitOutcome, u64)> + Send + 'static>(
    publish: impl Fn(usize) -> F,
) -> Vec<(CommitOutcome, u64)> {
    let tasks: Vec<_> = (0..PUBLISHERS).map(|n| tokio::spawn(publish(n))).collect();
    futures::future::join_all(tasks)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

async fn publish_as(
    location: &StoreLocation,
    dataset: &str,
    rows: usize,
    task: &str,
) -> (CommitOutcome, u64) {
    let store = FeatureStore::open(location).await.unwrap();
    let staged = stage(store.dataset_writer(spec(dataset)), [batch_of(&many(rows + 1))])
        .await
        .unwrap();
    let committed = store.commit_dataset(staged, commit(Some(task))).await.unwrap();
    (committed.outcome, committed.manifest.version)
}

/// Versions are without gaps, each task has one, and each says truly how it differs from its parent.
async fn check(store: &FeatureStore, dataset: &str, count: usize) {
    let versions = store.dataset_versions(&name(dataset)).await.unwrap();
    assert_eq!(versions, (1..=count as u64).collect::<Vec<_>>());
    let mut tasks = HashSet::new();
    let mut before = Rows::new();
    for version in versions {
        let manifest = store
            .dataset(&format!("{dataset}@{version}").parse().unwrap())
            .await
            .unwrap();
        assert!(tasks.insert(manifest.task_key.clone().unwrap()));
        let rows = rows_of(store, &manifest).await;
        let added = rows.keys().filter(|key| !before.contains_key(*key)).count() as u64;
        let removed = before.keys().filter(|key| !rows.contains_key(*key)).count() as u64;
        let changes = manifest.data.changes.unwrap();
        assert_eq!(
            (changes.added, changes.changed, changes.removed),
            (added, 0, removed),
            "version {version}"
        );
        before = rows;
    }
}

const CHILD: &str = "TWINLOOM_TEST_PUBLISHER";

/// The body of a publishing process; without the variable it is nobody's and does nothing.
#[tokio::test]
async fn publisher_process() {
    let Ok(job) = std::env::var(CHILD) else { return };
    let (number, url) = job.split_once(' ').unwrap();
    let number: usize = number.parse().unwrap();
    for turn in 0..2 {
        let (rows, task) = (number * 2 + turn, format!("task-{number}-{turn}"));
        publish_as(&StoreLocation::new(url), "processes", rows, &task).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_local_files() {
    let place = Place::local();
    let children: Vec<_> = (0..PUBLISHERS)
        .map(|n| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "concurrency::publisher_process"])
                .env(CHILD, format!("{n} {}", place.location.url))
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    check(&place.open().await, "processes", PUBLISHERS * 2).await;
}
