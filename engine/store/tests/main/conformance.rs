//! What every backend must do alike.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use twinloom_store::{
    ArtifactKind, CommitOutcome, Diff, FeatureStore, InputVersion, Label, Producer, ReadOptions, StageModel,
    StoreError,
};

use crate::{collection, common::*, concurrency};

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    suite(&Place::memory()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn local_files() {
    suite(&Place::local()).await;
}

/// Everything, on one store, under names of its own.
pub async fn suite(place: &Place) {
    let store = place.open().await;
    versions(&store).await;
    deltas(&store).await;
    unkeyed(&store).await;
    empty(&store).await;
    reading(&store).await;
    labels(&store).await;
    task_keys(&store).await;
    models_and_lineage(&store).await;
    blobs(&store).await;
    concurrency::suite(place).await;
    collection::suite(&store).await;
    let report = store.verify(|_| {}).await.unwrap();
    assert_eq!(report.problems, []);
    assert!(
        report.versions > 30 && report.blobs > 30 && report.bytes > 1000,
        "{report:?}"
    );
}

async fn versions(store: &FeatureStore) {
    let first = publish_new(store, "versions", &many(2500)).await;
    assert_eq!(
        (first.version, first.parent, first.data.rows, first.data.buckets),
        (1, None, 2500, 4)
    );
    assert_eq!(first.data.changes.unwrap().added, 2500);
    assert_eq!(rows_of(store, &first).await, many(2500));
    assert_eq!(
        first.data.columns["text"].min.as_deref(),
        Some("text of document 0")
    );
    assert_eq!(first.data.columns["chunk"].max.as_deref(), Some("0"));

    let mut reversed: Vec<_> = many(2500).into_iter().collect();
    reversed.reverse();
    let triple = |((id, n), text): &((String, i64), String)| (id.clone(), *n, text.clone());
    let rows: Vec<_> = reversed.iter().map(triple).collect();
    let pieces = rows
        .chunks(700)
        .map(|rows| batch(rows.iter().map(|(id, n, text)| (id.as_str(), *n, text.as_str()))));
    let staged = stage(store.dataset_writer(spec("versions")), pieces)
        .await
        .unwrap();
    assert_eq!(
        staged.content_hash, first.data.content_hash,
        "the order of writing does not matter"
    );
    assert_eq!(staged.bytes_written, 0);
    let again = store.commit_dataset(staged, commit(None)).await.unwrap();
    assert_eq!(
        (again.outcome, again.manifest.version),
        (CommitOutcome::Unchanged, 1)
    );

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
    assert_eq!(
        diff,
        Diff {
            added: texts(&["new"]),
            changed: texts(&["doc-8", "doc-9"]),
            removed: texts(&["doc-7"])
        }
    );
    assert_eq!(store.dataset_versions(&name("versions")).await.unwrap(), [1, 2]);
    assert!(store.datasets().await.unwrap().contains(&name("versions")));
    assert_eq!(store.dataset_exact(&first.id()).await.unwrap().id(), first.id());
}

async fn deltas(store: &FeatureStore) {
    let base = publish_new(store, "deltas", &many(3000)).await;
    let mut delta = store.delta_writer(spec("deltas"), Arc::clone(&base));
    delta.remove("doc-1").await.unwrap();
    delta.remove("doc-2").await.unwrap();
    delta.remove("not there").await.unwrap();
    delta
        .write(batch([
            ("doc-2", 0, "changed"),
            ("fresh", 0, "x"),
            ("fresh", 1, "y"),
        ]))
        .await
        .unwrap();
    delta.set_check("sound", true);
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
    assert!(
        second.data.bytes_written < second.data.bytes,
        "untouched buckets are shared"
    );
    assert!(second.data.checks["sound"]);

    let whole = publish(store, "deltas", &expected).await;
    assert_eq!(
        whole.outcome,
        CommitOutcome::Unchanged,
        "a snapshot of the same rows is the same content"
    );
    let nothing = store.delta_writer(spec("deltas"), second).finish().await.unwrap();
    assert_eq!(nothing.changes.unwrap(), Default::default());
    assert_eq!(
        store.commit_dataset(nothing, commit(None)).await.unwrap().outcome,
        CommitOutcome::Unchanged
    );
}

async fn unkeyed(store: &FeatureStore) {
    let mut spec = spec("unkeyed");
    spec.keys.clear();
    let rows = [("b", 1, "x"), ("a", 2, "y"), ("b", 1, "x")];
    let staged = stage(store.dataset_writer(spec.clone()), [batch(rows)])
        .await
        .unwrap();
    let first = store.commit_dataset(staged, commit(None)).await.unwrap().manifest;
    assert_eq!((first.data.rows, first.data.buckets), (3, 0));
    let pieces = rows.map(|row| batch([row]));
    let again = stage(store.dataset_writer(spec), pieces).await.unwrap();
    assert_eq!(
        again.content_hash, first.data.content_hash,
        "batches do not matter"
    );
    let error = store.diff(&first, &first).await.unwrap_err();
    assert_eq!(error.code(), "store.key_column");
}

async fn empty(store: &FeatureStore) {
    let first = publish_new(store, "empty", &Rows::new()).await;
    assert_eq!((first.data.rows, first.data.parts.len()), (0, 0));
    assert_eq!(rows_of(store, &first).await, Rows::new());
    let mut delta = store.delta_writer(spec("empty"), first);
    delta.write(batch([("a", 0, "x")])).await.unwrap();
    let second = store
        .commit_dataset(delta.finish().await.unwrap(), commit(None))
        .await
        .unwrap()
        .manifest;
    assert_eq!(rows_of(store, &second).await.len(), 1);
}

async fn reading(store: &FeatureStore) {
    let manifest = publish_new(store, "reading", &many(1500)).await;
    let wanted: HashSet<String> = ["doc-9", "no such", "doc-11"].map(str::to_owned).into();
    let some = ReadOptions {
        entities: Some(Arc::new(wanted)),
        ..ReadOptions::default()
    };
    let found: Vec<_> = read(store, &manifest, some.clone())
        .await
        .unwrap()
        .into_keys()
        .collect();
    assert_eq!(found, [("doc-11".to_owned(), 0), ("doc-9".to_owned(), 0)]);
    let limited = ReadOptions {
        limit: Some(7),
        batch_size: Some(3),
        ..ReadOptions::default()
    };
    assert_eq!(read(store, &manifest, limited).await.unwrap().len(), 7);

    let texts = ReadOptions {
        columns: Some(vec!["text".to_owned()]),
        ..some
    };
    let batches: Vec<_> = futures::TryStreamExt::try_collect(store.read(&manifest, texts))
        .await
        .unwrap();
    let total: usize = batches.iter().map(arrow::array::RecordBatch::num_rows).sum();
    assert_eq!(
        (
            total,
            batches[0].num_columns(),
            batches[0].schema().field(0).name().as_str()
        ),
        (2, 1, "text")
    );
    let wrong = ReadOptions {
        columns: Some(vec!["txet".to_owned()]),
        ..ReadOptions::default()
    };
    let error = read(store, &manifest, wrong).await.unwrap_err();
    assert_eq!(
        (error.code(), error.hint()),
        ("store.not_found", "Did you mean `text`?".to_owned())
    );
    assert_eq!(FeatureStore::schema_of(&manifest).unwrap(), schema());
    assert_eq!(store.paths(&manifest).len(), manifest.data.parts.len());
}

fn label(version: u64) -> Label {
    let moved_at = Timestamp::from_second(1_700_000_000).unwrap();
    Label {
        version,
        moved_at,
        by: "ada".to_owned(),
        reason: "good".to_owned(),
        previous: None,
    }
}

async fn labels(store: &FeatureStore) {
    publish_new(store, "labels", &many(1)).await;
    publish_new(store, "labels", &many(2)).await;
    let dataset = name("labels");
    store.tag(&dataset, "golden", label(1)).await.unwrap();
    store.tag(&dataset, "golden", label(2)).await.unwrap();
    store.tag(&dataset, "golden", label(2)).await.unwrap();
    let tags = store.tags(&dataset).await.unwrap();
    assert_eq!((tags["golden"].version, tags["golden"].previous), (2, Some(1)));
    assert_eq!(
        store
            .dataset(&"labels@golden".parse().unwrap())
            .await
            .unwrap()
            .version,
        2
    );

    for bad in ["latest", "12", "../x", "A", ""] {
        assert_eq!(
            store.tag(&dataset, bad, label(1)).await.unwrap_err().code(),
            "store.invalid_name",
            "{bad}"
        );
    }
    let code_and_hint = |error: StoreError| (error.code(), error.hint());
    let missing = store.tag(&dataset, "x", label(9)).await.unwrap_err();
    assert_eq!(
        code_and_hint(missing),
        ("store.not_found", "There is: labels@2, labels@1.".to_owned())
    );
    let misspelt = store
        .dataset(&"labels@goldne".parse().unwrap())
        .await
        .unwrap_err();
    assert_eq!(
        code_and_hint(misspelt),
        ("store.not_found", "Did you mean `golden`?".to_owned())
    );
    let misspelt = store.dataset(&"lables".parse().unwrap()).await.unwrap_err();
    assert_eq!(
        code_and_hint(misspelt),
        ("store.not_found", "Did you mean `labels`?".to_owned())
    );
    let missing = store.dataset(&"labels@7".parse().unwrap()).await.unwrap_err();
    assert_eq!(missing.to_string(), "version 7 of dataset labels does not exist");
    store.untag(&dataset, "golden").await.unwrap();
    assert_eq!(
        store.untag(&dataset, "golden").await.unwrap_err().code(),
        "store.not_found"
    );
}

async fn task_keys(store: &FeatureStore) {
    let rows = |count| stage(store.dataset_writer(spec("task_keys")), [batch_of(&many(count))]);
    let first = store
        .commit_dataset(rows(1).await.unwrap(), commit(Some("task-1")))
        .await
        .unwrap();
    assert_eq!(first.outcome, CommitOutcome::New);
    store
        .commit_dataset(rows(2).await.unwrap(), commit(Some("task-2")))
        .await
        .unwrap();
    // A retry whose content came out differently (a web page changed) adopts what its first attempt published.
    let retried = store
        .commit_dataset(rows(3).await.unwrap(), commit(Some("task-1")))
        .await
        .unwrap();
    assert_eq!(
        (retried.outcome, retried.manifest.version),
        (CommitOutcome::Adopted, 1)
    );
    assert_eq!(store.dataset_versions(&name("task_keys")).await.unwrap(), [1, 2]);
    let mut recent = commit(Some("task-1"));
    recent.not_before = Some(recent.now + SignedDuration::from_hours(1));
    let later = store
        .commit_dataset(rows(3).await.unwrap(), recent)
        .await
        .unwrap();
    assert_eq!(
        (later.outcome, later.manifest.version),
        (CommitOutcome::New, 3),
        "too old to be looked at"
    );
}

fn stage_model(inputs: Vec<InputVersion>) -> StageModel {
    StageModel {
        name: name("twin"),
        base: None,
        config: serde_json::json!({"method": "lora"}),
        card: "# A model".to_owned(),
        metrics: Default::default(),
        producer: Producer::default(),
        inputs,
    }
}

async fn models_and_lineage(store: &FeatureStore) {
    let raw = publish_new(store, "lineage.raw", &many(1)).await;
    let mut cleaned = spec("lineage.cleaned");
    cleaned.inputs.push(InputVersion {
        port: "documents".to_owned(),
        kind: ArtifactKind::Dataset,
        id: raw.id(),
    });
    let staged = stage(store.dataset_writer(cleaned), [batch_of(&many(1))])
        .await
        .unwrap();
    let cleaned = store.commit_dataset(staged, commit(None)).await.unwrap().manifest;

    let input = InputVersion {
        port: "instruct".to_owned(),
        kind: ArtifactKind::Dataset,
        id: cleaned.id(),
    };
    let mut writer = store.model_writer(stage_model(vec![input]));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights");
    std::fs::write(&file, vec![7; 3_000_000]).unwrap();
    writer.add_file("adapter/model.safetensors", &file).await.unwrap();
    writer
        .add_bytes("README.md", Bytes::from_static(b"# A model"))
        .await
        .unwrap();
    for bad in ["../x", "/etc/passwd", "a//b", "", "a/../b", "a\\b"] {
        let error = writer.add_bytes(bad, Bytes::new()).await.unwrap_err();
        assert_eq!(error.code(), "store.invalid_path", "{bad}");
    }
    let staged = writer.finish().await.unwrap();
    let first = store.commit_model(staged.clone(), commit(None)).await.unwrap();
    assert_eq!((first.outcome, first.manifest.version), (CommitOutcome::New, 1));
    assert_eq!(
        store.commit_model(staged, commit(None)).await.unwrap().outcome,
        CommitOutcome::Unchanged
    );

    store
        .set_alias(&name("twin"), "production", label(1))
        .await
        .unwrap();
    let model = store.model(&"twin@production".parse().unwrap()).await.unwrap();
    assert_eq!(store.models().await.unwrap(), [name("twin")]);
    assert_eq!(store.model_versions(&name("twin")).await.unwrap(), [1]);
    let out = folder.path().join("out");
    store.checkout_model(&model, &out).await.unwrap();
    store.checkout_model(&model, &out).await.unwrap();
    assert_eq!(
        std::fs::read(out.join("adapter/model.safetensors")).unwrap(),
        vec![7; 3_000_000]
    );
    assert_eq!(
        std::fs::read_to_string(out.join("README.md")).unwrap(),
        "# A model"
    );

    let lineage = store.lineage(ArtifactKind::Dataset, &cleaned.id()).await.unwrap();
    let keys: Vec<_> = lineage.nodes.iter().map(|node| node.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "dataset:lineage.cleaned@1",
            "dataset:lineage.raw@1",
            "model:twin@1"
        ]
    );
    let edges: Vec<_> = lineage
        .edges
        .iter()
        .map(|edge| (edge.from.as_str(), edge.to.as_str(), edge.port.as_str()))
        .collect();
    assert_eq!(
        edges,
        [
            ("dataset:lineage.cleaned@1", "model:twin@1", "instruct"),
            ("dataset:lineage.raw@1", "dataset:lineage.cleaned@1", "documents"),
        ]
    );
}

async fn blobs(store: &FeatureStore) {
    let blob = store.put_blob(Bytes::from_static(b"hello"), "txt").await.unwrap();
    assert_eq!(blob.hash, blake3::hash(b"hello").to_hex().to_string());
    assert_eq!(store.get_blob(&blob).await.unwrap(), "hello");
    assert_eq!(
        store.put_blob(Bytes::new(), "../x").await.unwrap_err().code(),
        "store.invalid_name"
    );
    let absent = twinloom_store::BlobRef {
        hash: "0".repeat(64),
        ..blob
    };
    assert_eq!(
        store.get_blob(&absent).await.unwrap_err().code(),
        "store.missing_blob"
    );
}
