//! Garbage collection beside tasks that go on writing.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use twinloom_store::{
    ArtifactKind, FeatureStore, GcOptions, InputVersion, Label, Producer, StageModel, VersionId,
};

use crate::common::*;

/// Garbage goes, and only garbage; ages are told by the clock that is given.
pub async fn suite(store: &FeatureStore) {
    let now = Timestamp::now();
    // Rows that no other dataset has: equal parts are one blob.
    let own = |count: usize| -> Rows {
        many(count)
            .into_iter()
            .map(|(key, text)| (key, format!("own {text}")))
            .collect()
    };
    let at = |days: i64| GcOptions {
        ..GcOptions::new(now + SignedDuration::from_hours(24 * days))
    };
    store.gc(at(2)).await.unwrap();
    let first = publish_new(store, "collected", &own(10)).await;
    let second = publish_new(store, "collected", &own(20)).await;
    let abandoned = stage(store.dataset_writer(spec("collected")), [batch_of(&own(30))])
        .await
        .unwrap();
    let early = store.gc(at(0)).await.unwrap();
    assert_eq!(
        (early.removed_blobs, early.young_blobs, early.retired.len()),
        (0, 1, 0),
        "what is young stays"
    );

    let mut keep_one = at(2);
    keep_one.keep_by_name.insert(name("collected"), 1);
    let dry = store
        .gc(GcOptions {
            dry_run: true,
            ..keep_one.clone()
        })
        .await
        .unwrap();
    assert_eq!(
        (dry.removed_blobs, dry.retired.as_slice()),
        (1, ["collected@1".to_owned()].as_slice())
    );
    assert!(
        store.dataset_exact(&first.id()).await.is_ok(),
        "a dry run removes nothing"
    );
    let real = store.gc(keep_one).await.unwrap();
    assert_eq!(GcReportParts::of(&real), GcReportParts::of(&dry));
    assert_eq!(store.dataset_versions(&name("collected")).await.unwrap(), [2]);
    assert_eq!(
        store.get_blob(&abandoned.parts[0].blob).await.unwrap_err().code(),
        "store.missing_blob"
    );
    assert_eq!(rows_of(store, &second).await, own(20));

    // A task that had begun on the version which retention took away can still commit.
    assert_eq!(rows_of(store, &first).await, own(10));
    let mut delta = store.delta_writer(spec("collected"), Arc::clone(&first));
    delta.remove("doc-0").await.unwrap();
    let third = store
        .commit_dataset(delta.finish().await.unwrap(), commit(None))
        .await
        .unwrap()
        .manifest;
    assert_eq!(third.version, 3);

    let last = store
        .gc(GcOptions {
            grace: Duration::from_secs(3600),
            ..at(4)
        })
        .await
        .unwrap();
    assert_eq!(
        last.removed_blobs, 1,
        "the retired version's blob, after its grace"
    );
    assert_eq!(rows_of(store, &third).await.len(), 9);
}

/// A dataset of the rows that was made from these versions.
async fn made(
    store: &FeatureStore,
    dataset: &str,
    rows: usize,
    inputs: &[(ArtifactKind, VersionId)],
) -> (ArtifactKind, VersionId) {
    let mut spec = spec(dataset);
    spec.inputs = versions(inputs);
    let staged = stage(store.dataset_writer(spec), [batch_of(&many(rows))])
        .await
        .unwrap();
    let manifest = store.commit_dataset(staged, commit(None)).await.unwrap().manifest;
    (ArtifactKind::Dataset, manifest.id())
}

async fn model(
    store: &FeatureStore,
    model: &str,
    content: &str,
    base: Option<&(ArtifactKind, VersionId)>,
    inputs: &[(ArtifactKind, VersionId)],
) -> (ArtifactKind, VersionId) {
    let mut writer = store.model_writer(StageModel {
        name: name(model),
        base: base.map(|(_, id)| id.clone()),
        config: serde_json::Value::Null,
        card: String::new(),
        metrics: Default::default(),
        producer: Producer::default(),
        inputs: versions(inputs),
    });
    let content = content.to_owned();
    writer.add_bytes("weights", content.into()).await.unwrap();
    let staged = writer.finish().await.unwrap();
    let manifest = store.commit_model(staged, commit(None)).await.unwrap().manifest;
    (ArtifactKind::Model, manifest.id())
}

fn versions(inputs: &[(ArtifactKind, VersionId)]) -> Vec<InputVersion> {
    let input = |(kind, id): &(ArtifactKind, VersionId)| InputVersion {
        port: "in".to_owned(),
        kind: *kind,
        id: id.clone(),
    };
    inputs.iter().map(input).collect()
}

#[tokio::test]
async fn what_models_in_use_need_stays_whatever_the_rule() {
    let (_place, store) = Place::memory().open_kept().await;
    let (mut evaluations, mut twins) = (Vec::new(), Vec::new());
    for n in 1..=6 {
        let raw = made(&store, "raw", n, &[]).await;
        let clean = made(&store, "clean", n, std::slice::from_ref(&raw)).await;
        made(&store, "chunks", n, std::slice::from_ref(&clean)).await;
        let base = model(
            &store,
            "nano",
            &format!("base {n}"),
            None,
            std::slice::from_ref(&clean),
        )
        .await;
        let twin = model(&store, "twin", &format!("twin {n}"), Some(&base), &[clean]).await;
        evaluations.push(made(&store, "evaluation", n, std::slice::from_ref(&twin)).await);
        twins.push(twin);
    }
    // Version 2 is in production, 3 waits for a person, 6 is the newest; nobody asks for 1, 4 and 5.
    let label = Label {
        version: 2,
        moved_at: Timestamp::UNIX_EPOCH,
        by: "ada".into(),
        reason: "good".into(),
        previous: None,
    };
    store.set_alias(&name("twin"), "production", label).await.unwrap();
    let mut options = GcOptions {
        keep_versions: Some(1),
        ..GcOptions::new(Timestamp::now())
    };
    options.pinned.insert((ArtifactKind::Model, name("twin"), 3));
    let report = store.gc(options).await.unwrap();
    let of = async |dataset: &str| store.dataset_versions(&name(dataset)).await.unwrap();
    assert_eq!(of("raw").await, [2, 3, 6], "all the way up");
    assert_eq!(of("clean").await, [2, 3, 6]);
    assert_eq!(of("chunks").await, [6], "no model was made from these");
    assert_eq!(
        of("evaluation").await,
        [2, 3, 6],
        "why it is in production, and what is asked"
    );
    assert_eq!(
        store.model_versions(&name("twin")).await.unwrap(),
        [1, 2, 3, 4, 5, 6]
    );
    assert_eq!(
        store.model_versions(&name("nano")).await.unwrap(),
        [1, 2, 3, 4, 5, 6]
    );
    assert_eq!(report.retired.len(), 3 + 3 + 5 + 3);
    assert_eq!(report.retired_versions.len(), report.retired.len());

    // A rule of their own takes model versions too; bases of those that stay stay.
    let mut options = GcOptions::new(Timestamp::now());
    options.keep_by_name = [(name("twin"), 1), (name("nano"), 1)].into();
    options.pinned.insert((ArtifactKind::Model, name("twin"), 3));
    store.gc(options).await.unwrap();
    assert_eq!(store.model_versions(&name("twin")).await.unwrap(), [2, 3, 6]);
    assert_eq!(store.model_versions(&name("nano")).await.unwrap(), [2, 3, 6]);
}

#[tokio::test]
async fn what_the_newest_version_was_made_from_stays_for_the_next_difference() {
    let (_place, store) = Place::memory().open_kept().await;
    let first = made(&store, "raw", 1, &[]).await;
    // Equal content makes no version: the cleaned documents stay those of the first raw ones.
    made(&store, "clean", 1, &[first]).await;
    made(&store, "raw", 2, &[]).await;
    made(&store, "raw", 3, &[]).await;
    let options = GcOptions {
        keep_versions: Some(1),
        ..GcOptions::new(Timestamp::now())
    };
    store.gc(options).await.unwrap();
    assert_eq!(store.dataset_versions(&name("raw")).await.unwrap(), [1, 3]);
}

#[derive(Debug, PartialEq)]
struct GcReportParts(u64, u64, Vec<String>);

impl GcReportParts {
    fn of(report: &twinloom_store::GcReport) -> Self {
        Self(report.removed_blobs, report.removed_bytes, report.retired.clone())
    }
}
