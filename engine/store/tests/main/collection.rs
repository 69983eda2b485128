//! Garbage collection beside tasks that go on writing.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use twinloom_store::{FeatureStore, GcOptions};

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

#[derive(Debug, PartialEq)]
struct GcReportParts(u64, u64, Vec<String>);

impl GcReportParts {
    fn of(report: &twinloom_store::GcReport) -> Self {
        Self(report.removed_blobs, report.removed_bytes, report.retired.clone())
    }
}
