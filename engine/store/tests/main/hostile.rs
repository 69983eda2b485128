//! Manifests that somebody made up: every one is refused by name, and none harms the others.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use twinloom_store::{BlobRef, FeatureStore, StagedDataset};

use crate::common::*;

/// Replaces version 2 by a changed copy of it and says how opening it fails.
async fn refused(change: impl FnOnce(&mut Value)) -> (&'static str, String) {
    let (place, store, path) = two_versions().await;
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
    drop(store);
    open_second(&place).await
}

async fn two_versions() -> (Place, FeatureStore, PathBuf) {
    let (place, store) = Place::local().open_kept().await;
    publish_new(&store, "d", &many(5)).await;
    publish_new(&store, "d", &many(6)).await;
    let path = place.folder().join("datasets/d/versions/000000000002.json");
    (place, store, path)
}

async fn open_second(place: &Place) -> (&'static str, String) {
    let store = place.open().await;
    let error = store.dataset(&"d@2".parse().unwrap()).await.unwrap_err();
    let first = store.dataset(&"d@1".parse().unwrap()).await.unwrap();
    assert_eq!(rows_of(&store, &first).await, many(5));
    let report = store.verify(|_| {}).await.unwrap();
    assert_eq!(report.problems.len(), 1, "{report:?}");
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48);
    let collected = store.gc(twinloom_store::GcOptions::new(later)).await;
    assert_eq!(
        collected.unwrap_err().code(),
        error.code(),
        "nothing is removed beside a manifest that cannot be read"
    );
    (error.code(), error.to_string())
}

#[tokio::test]
async fn fields_that_cannot_be() {
    type Change = Box<dyn FnOnce(&mut Value)>;
    let changes: Vec<(&str, Change)> = vec![
        (
            "a hash that is a path",
            Box::new(|m| m["parts"][0]["blob"]["hash"] = json!("../../../../etc/passwd")),
        ),
        (
            "an extension that is a path",
            Box::new(|m| m["parts"][0]["blob"]["ext"] = json!("../x")),
        ),
        (
            "a name that is a path",
            Box::new(|m| m["name"] = json!("../../d")),
        ),
        ("another name", Box::new(|m| m["name"] = json!("e"))),
        ("another number", Box::new(|m| m["version"] = json!(7))),
        (
            "rows beyond counting",
            Box::new(|m| m["parts"][0]["rows"] = json!(u64::MAX)),
        ),
        ("negative bytes", Box::new(|m| m["bytes"] = json!(-1))),
        ("a number beyond 64 bits", Box::new(|m| m["rows"] = json!(1e300))),
        ("no buckets", Box::new(|m| m["buckets"] = json!(0))),
        ("too many buckets", Box::new(|m| m["buckets"] = json!(1u64 << 31))),
        (
            "a bucket out of range",
            Box::new(|m| m["parts"][0]["bucket"] = json!(5)),
        ),
        (
            "a key that is no column",
            Box::new(|m| m["keys"] = json!(["nope"])),
        ),
        (
            "a schema that is none",
            Box::new(|m| m["schema"] = json!({"fields": [{"name": "x"}]})),
        ),
        (
            "an unknown type",
            Box::new(|m| m["schema"]["fields"][0]["type"] = json!("Gibberish")),
        ),
        (
            "a list without end",
            Box::new(|m| m["schema"]["fields"][0]["type"] = json!({"fixed_size_list": {}, "size": -4})),
        ),
        ("format 0", Box::new(|m| m["format"] = json!(0))),
        ("no format", Box::new(|m| m["format"] = Value::Null)),
    ];
    for (what, change) in changes {
        let (code, message) = refused(change).await;
        assert_eq!(code, "store.bad_manifest", "{what}: {message}");
        assert!(
            message.contains("datasets/d/versions/000000000002.json"),
            "{what}: {message}"
        );
    }
}

#[tokio::test]
async fn a_newer_format_says_so() {
    let (code, message) = refused(|m| m["format"] = json!(99)).await;
    assert_eq!(
        (code, message.contains("format 99")),
        ("store.newer_format", true),
        "{message}"
    );
}

#[tokio::test]
async fn text_that_is_no_manifest() {
    for text in [
        "",
        "{",
        "[]",
        "null",
        "\u{0}\u{1}",
        &"[".repeat(100_000),
        &format!("{{\"format\":1,\"x\":{}1", "{\"a\":".repeat(5000)),
    ] {
        let (place, _store, path) = two_versions().await;
        fs::write(&path, text).unwrap();
        assert_eq!(open_second(&place).await.0, "store.bad_manifest");
    }
}

#[tokio::test]
async fn a_manifest_beyond_the_bound_is_not_read() {
    let (place, _store, path) = two_versions().await;
    fs::File::create(&path).unwrap().set_len(50 << 30).unwrap();
    let (code, message) = open_second(&place).await;
    assert_eq!(
        (code, message.contains("bound")),
        ("store.bad_manifest", true),
        "{message}"
    );
}

/// What a worker hands over is not believed either.
#[tokio::test]
async fn a_staged_dataset_that_cannot_be() {
    let (_place, store) = Place::local().open_kept().await;
    let staged = stage(store.dataset_writer(spec("d")), [batch_of(&many(3))])
        .await
        .unwrap();
    let mut json = serde_json::to_value(&staged).unwrap();
    json["parts"][0]["blob"]["hash"] = json!("../../x");
    let staged: StagedDataset = serde_json::from_value(json).unwrap();
    assert!(store.commit_dataset(staged, commit(None)).await.is_err());
    assert_eq!(store.dataset_versions(&name("d")).await.unwrap(), [0; 0]);
    let blob = BlobRef {
        hash: "../../../etc/passwd".to_owned(),
        bytes: 1,
        ext: "x".to_owned(),
    };
    assert_eq!(
        store.get_blob(&blob).await.unwrap_err().code(),
        "store.invalid_name"
    );
    assert_eq!(store.local_blob(&blob), None);
}
