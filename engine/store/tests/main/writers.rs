//! What writers refuse, and what they do with much data.

use std::sync::Arc;

use arrow::{
    array::{FixedSizeListArray, Float32Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Float32Type, Schema},
};
use twinloom_store::{StoreError, schema_from_json, schema_to_json};

use crate::common::*;

async fn refused(spec: twinloom_store::StageDataset, rows: RecordBatch) -> StoreError {
    let store = Place::memory().open().await;
    stage(store.dataset_writer(spec), [rows]).await.unwrap_err()
}

#[tokio::test]
async fn a_key_twice_is_named() {
    let error = refused(spec("d"), batch([("a", 1, "x"), ("b", 1, "y"), ("a", 1, "z")])).await;
    assert_eq!(error.to_string(), "dataset d got two rows with the key (a, 1)");
    assert_eq!(error.code(), "store.duplicate_key");

    let store = Place::memory().open().await;
    let base = publish_new(&store, "d", &many(3)).await;
    let mut delta = store.delta_writer(spec("d"), base);
    delta
        .write(batch([("doc-1", 0, "without removing it first")]))
        .await
        .unwrap();
    assert_eq!(delta.finish().await.unwrap_err().code(), "store.duplicate_key");
}

#[tokio::test]
async fn keys_and_schemas_must_fit() {
    let fields = vec![
        Field::new("id", DataType::Utf8, true),
        Field::new("n", DataType::Int64, true),
    ];
    let schema = Arc::new(Schema::new(fields));
    let columns = |id: Option<&str>| {
        let ids = Arc::new(StringArray::from(vec![id]));
        RecordBatch::try_new(
            Arc::clone(&schema),
            vec![ids, Arc::new(Int64Array::from(vec![1]))],
        )
        .unwrap()
    };
    let mut given = spec("d");
    (given.schema, given.keys) = (Arc::clone(&schema), vec!["id".to_owned()]);
    assert_eq!(
        refused(given.clone(), columns(None)).await.code(),
        "store.null_key"
    );
    for keys in [&["nope"][..], &["n"], &["id", "id"]] {
        given.keys = keys.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(
            refused(given.clone(), columns(Some("a"))).await.code(),
            "store.key_column",
            "{keys:?}"
        );
    }
    let error = refused(spec("d"), columns(Some("a"))).await;
    assert_eq!(
        (error.code(), error.to_string().contains("`n`, not `chunk`")),
        ("store.schema_mismatch", true),
        "{error}"
    );
}

#[tokio::test]
async fn a_delta_needs_the_schema_of_its_base() {
    let store = Place::memory().open().await;
    let base = publish_new(&store, "d", &many(3)).await;
    let mut other = spec("d");
    other.schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Utf8, false)]));
    other.keys = vec!["id".to_owned()];
    let mut delta = store.delta_writer(other, base);
    assert_eq!(
        delta.remove("doc-1").await.unwrap_err().code(),
        "store.schema_mismatch"
    );
}

/// Rows beyond memory go to a file and come out the same.
#[tokio::test(flavor = "multi_thread")]
async fn spilled_rows_make_the_same_parts() {
    let store = Place::local().open_kept().await;
    let rows = many(20_000);
    let plain = stage(store.1.dataset_writer(spec("d")), [batch_of(&rows)])
        .await
        .unwrap();
    let whole = batch_of(&rows);
    let pieces = (0..20).rev().map(|n| whole.slice(n * 1000, 1000));
    let spilled = stage(store.1.dataset_writer(spec("d")).with_memory(100_000), pieces)
        .await
        .unwrap();
    assert_eq!(spilled.content_hash, plain.content_hash);
    assert_eq!(
        (plain.buckets, plain.rows, spilled.bytes_written),
        (32, 20_000, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_follow_the_size() {
    let store = Place::memory().open().await;
    let small = publish_new(&store, "d", &many(100)).await;
    assert_eq!(small.data.buckets, 1);
    let mut delta = store.delta_writer(spec("d"), small).with_memory(50_000);
    let grown = many(9000);
    let more: Rows = grown
        .iter()
        .filter(|((id, _), _)| !many(100).contains_key(&(id.clone(), 0)))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    delta.write(batch_of(&more)).await.unwrap();
    let staged = delta.finish().await.unwrap();
    assert_eq!((staged.buckets, staged.changes.unwrap().added), (16, 8900));
    let large = store.commit_dataset(staged, commit(None)).await.unwrap().manifest;
    assert_eq!(rows_of(&store, &large).await, grown);
    // Four times fewer rows keep the buckets, so that the next difference stays small.
    let fewer = publish_new(&store, "d", &many(4000)).await;
    assert_eq!(
        (fewer.data.buckets, fewer.data.changes.unwrap().removed),
        (16, 5000)
    );
    let fewest = publish_new(&store, "d", &many(1000)).await;
    assert_eq!(
        (fewest.data.buckets, fewest.data.changes.unwrap().removed),
        (1, 3000),
        "a new number of buckets"
    );
}

#[tokio::test]
async fn vectors_and_nested_columns_survive() {
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let tags = Arc::new(Field::new("element", DataType::Utf8, false).with_metadata(
        std::collections::HashMap::from([("k".to_owned(), "v".to_owned())]),
    ));
    let fields = vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("vector", DataType::FixedSizeList(item, 2), true),
        Field::new("tags", DataType::List(tags), true),
        Field::new(
            "at",
            DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into())),
            true,
        ),
    ];
    let schema = Schema::new(fields);
    assert_eq!(
        *schema_from_json(&schema_to_json(&schema).unwrap()).unwrap(),
        schema
    );

    let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
        vec![Some(vec![Some(0.5), Some(f32::NAN)]), None],
        2,
    );
    let columns: Vec<arrow::array::ArrayRef> =
        vec![Arc::new(StringArray::from(vec!["a", "b"])), Arc::new(vectors)];
    let schema = Arc::new(Schema::new(schema.fields()[..2].to_vec()));
    let rows = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let store = Place::memory().open().await;
    let mut given = spec("vectors");
    (given.schema, given.keys) = (schema, vec!["id".to_owned()]);
    let staged = stage(store.dataset_writer(given.clone()), [rows.clone()])
        .await
        .unwrap();
    let first = store.commit_dataset(staged, commit(None)).await.unwrap().manifest;
    let batches: Vec<_> = futures::TryStreamExt::try_collect(store.read(&first, Default::default()))
        .await
        .unwrap();
    assert_eq!(format!("{batches:?}"), format!("{:?}", [&rows]));
    let flat = Float32Array::from(vec![0.5, 0.25]);
    let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
        vec![Some(flat.iter().collect::<Vec<_>>()), None],
        2,
    );
    let changed =
        RecordBatch::try_new(rows.schema(), vec![rows.column(0).clone(), Arc::new(vectors)]).unwrap();
    let staged = stage(store.dataset_writer(given), [changed]).await.unwrap();
    assert_eq!(staged.changes.unwrap().changed, 1);
}
