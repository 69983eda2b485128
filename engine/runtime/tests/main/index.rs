//! The index of the store: rebuilt beside runs that go on, and told of what retention takes away.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use twinloom_meta::{ArtifactKind, Meta};
use twinloom_runtime::{WaitFor, index};
use twinloom_store::{GcOptions, Label, Name};

use crate::{
    plans::{TaskExt, plan, task},
    support::{self, Home, submit},
};

async fn versions(meta: &Meta, name: &str) -> Vec<u64> {
    let rows = meta.dataset_index(Some(name)).await.unwrap();
    rows.into_iter().map(|row| row.version).collect()
}

fn rows(texts: &[&str]) -> twinloom_spec::Plan {
    plan(
        "rows",
        vec![task("make", "rows", json!({ "texts": texts })).output("out", "made")],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_published_while_the_index_is_rebuilt_stays_in_it() {
    let home = Home::new();
    let engine = home.engine().await;
    let (store, meta) = (&engine.config().store, &engine.config().meta);
    support::run(&engine, rows(&["a"])).await;
    let scanned = index::scan(store).await.unwrap();
    // While the walk was on: a version, another dataset, and a tag that moves.
    support::run(&engine, rows(&["a", "b"])).await;
    engine.tag_dataset("made", "good", 1, "ada", "").await.unwrap();
    engine.tag_dataset("made", "good", 2, "ada", "").await.unwrap();
    index::write(meta, store, scanned).await.unwrap();
    assert_eq!(versions(meta, "made").await, [1, 2]);
    let tags = meta.alias_index(Some("made")).await.unwrap();
    assert_eq!(
        (tags.len(), tags[0].version, tags[0].kind),
        (1, 2, ArtifactKind::Dataset)
    );

    // What the store does not have goes, and what the index lacks comes.
    let ghost = meta.dataset_index(Some("made")).await.unwrap().remove(0);
    let ghost = twinloom_meta::DatasetIndexRow {
        name: "ghost".to_owned(),
        ..ghost
    };
    meta.apply(vec![ghost.into()], &[]).await.unwrap();
    let label = Label {
        version: 1,
        moved_at: Timestamp::now(),
        by: "bo".into(),
        reason: "by hand".into(),
        previous: None,
    };
    store
        .tag(&Name::new("made").unwrap(), "first", label)
        .await
        .unwrap();
    let scanned = index::scan(store).await.unwrap();
    index::write(meta, store, scanned).await.unwrap();
    assert_eq!(versions(meta, "ghost").await, Vec::<u64>::new());
    assert_eq!(meta.alias_index(Some("made")).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_keeps_its_rows_and_what_cannot_be_reached_is_an_error() {
    let home = Home::new();
    let engine = home.engine().await;
    let (store, meta) = (&engine.config().store, &engine.config().meta);
    support::run(&engine, rows(&["a"])).await;
    engine.tag_dataset("made", "good", 1, "ada", "").await.unwrap();
    let folder = home.dir.path().join("store");
    let manifest = support::file_below(&folder, "datasets/made/", "000000000001.json");
    let whole = std::fs::read(&manifest).unwrap();
    std::fs::write(&manifest, "{}").unwrap();
    // The engine's own handle remembers the manifest.
    let fresh = support::config(home.dir.path()).await.store;
    let scanned = index::scan(&fresh).await.unwrap();
    assert_eq!(scanned.left_out.len(), 1, "{scanned:?}");
    index::write(meta, &fresh, scanned).await.unwrap();
    assert_eq!(versions(meta, "made").await, [1]);
    assert_eq!(meta.alias_index(Some("made")).await.unwrap().len(), 1);

    // What may be there and is not handed out is no reason to forget it.
    std::fs::remove_file(&manifest).unwrap();
    std::os::unix::fs::symlink(&manifest, &manifest).unwrap();
    let fresh = support::config(home.dir.path()).await.store;
    assert!(index::scan(&fresh).await.is_err());
    std::fs::remove_file(&manifest).unwrap();
    std::fs::write(&manifest, whole).unwrap();
    assert_eq!(index::scan(store).await.unwrap().left_out, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_leaves_what_a_waiting_run_has_made_and_was_given_and_tells_the_index() {
    let home = Home::new();
    let engine = home.engine().await;
    let (store, meta) = (&engine.config().store, &engine.config().meta);
    let waits = plan(
        "waits",
        vec![
            task("make", "rows", json!({ "texts": ["waits"] })).output("out", "made"),
            task("ask", "ask", json!({})).after("make"),
            task("later", "upper", json!({}))
                .dataset("rows", "made@1")
                .output("out", "capitals")
                .after("ask"),
        ],
    );
    for text in ["one", "two"] {
        support::run(&engine, rows(&[text])).await;
    }
    let run = engine.submit(submit(waits)).await.unwrap();
    engine.wait(&run, WaitFor::EndedOrWaiting).await.unwrap();
    for text in ["four", "five"] {
        support::run(&engine, rows(&[text])).await;
    }
    let options = |dry_run| GcOptions {
        dry_run,
        grace: Duration::from_secs(3600),
        keep_versions: Some(1),
        ..GcOptions::new(Timestamp::now() + SignedDuration::from_hours(2))
    };
    let dry = index::collect(meta, store, options(true)).await.unwrap();
    assert_eq!(
        dry.retired,
        ["made@2", "made@4"],
        "the first is what the waiting run was given"
    );
    assert_eq!(
        versions(meta, "made").await,
        [1, 2, 3, 4, 5],
        "a dry run changes nothing"
    );
    index::collect(meta, store, options(false)).await.unwrap();
    assert_eq!(versions(meta, "made").await, [1, 3, 5]);
    assert_eq!(
        store.dataset_versions(&Name::new("made").unwrap()).await.unwrap(),
        [1, 3, 5]
    );
    engine.cancel(&run, "test", "over").await.unwrap();
    engine.wait(&run, WaitFor::Ended).await.unwrap();
    index::collect(meta, store, options(false)).await.unwrap();
    assert_eq!(
        versions(meta, "made").await,
        [5],
        "a run that has ended keeps nothing"
    );
}
