//! What every backend must do alike.

use std::{collections::HashSet, sync::Arc};

use twinloom_store::{CommitOutcome, Diff, FeatureStore, ReadOptions, Selector, Reference};

use crate::common::*;

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    suite(&Place::memory()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn local_files() {
    suite(&Place::local()).await;
}

pub async fn suite(place: &Place) {
    let store = place.open().await;
    versions(&store).await;
    deltas(&store).await;
}

async fn versions(store: &FeatureStore) {
    let first = publish_new(store, "versions", &many(2500)).await;
    assert_eq!((first.version, first.parent, first.data.rows, first.data.buckets), (1, None, 2500, 4));
    assert_eq!(first.data.changes.unwrap().added, 2500);
    assert_eq!(rows_of(store, &first).await, many(2500));

    let mut reversed: Vec<_> = many(2500).into_iter().collect();
    reversed.reverse();
    let pieces = reversed.chunks(700).map(|rows| batch(rows.iter().map(|((id, n), text)| (id.as_str(), *n, text.as_str()))));
    let staged = stage(store.dataset_writer(spec("versions")), pieces).await.unwrap();
    assert_eq!(staged.content_hash, first.data.content_hash, "the order of writing does not matter");
    assert_eq!(staged.bytes_written, 0);
    let again = store.commit_dataset(staged, commit(None)).await.unwrap();
    assert_eq!((again.outcome, again.manifest.version), (CommitOutcome::Unchanged, 1));

    let mut rows = many(2500);
    rows.remove(&("doc-7".to_owned(), 0));
    rows.insert(("doc-8".to_owned(), 0), "other".to_owned());
    rows.insert(("doc-9".to_owned(), 1), "a second chunk".to_owned());
    rows.insert(("new".to_owned(), 0), "new".to_owned());
    let second = publish_new(store, "versions", &rows).await;
    let changes = second.data.changes.unwrap();
    assert_eq!((second.version, second.parent), (2, Some(1)));
    assert_eq!((changes.added, changes.changed, changes.removed), (1, 2, 1));
    let diff = store.diff(&first, &second).await.unwrap();
    let texts = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    assert_eq!(diff, Diff { added: texts(&["new"]), changed: texts(&["doc-8", "doc-9"]), removed: texts(&["doc-7"]) });
    assert_eq!(store.dataset_versions(&name("versions")).await.unwrap(), [1, 2]);

    let latest = store.dataset(&Reference { name: name("versions"), selector: Selector::Latest }).await.unwrap();
    assert_eq!(*latest, *second);
    let wanted: HashSet<String> = ["doc-9", "doc-7", "doc-11"].map(str::to_owned).into();
    let some = ReadOptions { entities: Some(Arc::new(wanted)), ..ReadOptions::default() };
    let found: Vec<_> = read(store, &latest, some).await.unwrap().into_keys().collect();
    assert_eq!(found, [("doc-11".to_owned(), 0), ("doc-9".to_owned(), 0), ("doc-9".to_owned(), 1)]);
}

async fn deltas(store: &FeatureStore) {
    let base = publish_new(store, "deltas", &many(3000)).await;
    let mut delta = store.delta_writer(spec("deltas"), Arc::clone(&base));
    delta.remove("doc-1").await.unwrap();
    delta.remove("doc-2").await.unwrap();
    delta.remove("not there").await.unwrap();
    delta.write(batch([("doc-2", 0, "changed"), ("fresh", 0, "x"), ("fresh", 1, "y")])).await.unwrap();
    let staged = delta.finish().await.unwrap();
    let changes = staged.changes.unwrap();
    assert_eq!((changes.added, changes.changed, changes.removed), (1, 1, 1));
    let second = store.commit_dataset(staged, commit(None)).await.unwrap().manifest;
    let mut expected = many(3000);
    expected.remove(&("doc-1".to_owned(), 0));
    expected.insert(("doc-2".to_owned(), 0), "changed".to_owned());
    expected.insert(("fresh".to_owned(), 0), "x".to_owned());
    expected.insert(("fresh".to_owned(), 1), "y".to_owned());
    assert_eq!(rows_of(store, &second).await, expected);
    assert!(second.data.bytes_written < second.data.bytes, "untouched buckets are shared");

    let whole = publish(store, "deltas", &expected).await;
    assert_eq!(whole.outcome, CommitOutcome::Unchanged, "a snapshot of the same rows is the same content");
}
