//! Keeping a collection behind the trait in step with a dataset on a real store.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{FixedSizeListArray, Float32Array, Int32Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use jiff::Timestamp;

use crate::{
    Commit, DatasetManifest, FeatureStore, Name, Producer, StageDataset, StoreLocation,
    vectors::{SyncMode, VectorIndex, open_embedded, sync, sync_index},
};

async fn store() -> FeatureStore {
    FeatureStore::open(&StoreLocation {
        url: "memory://".into(),
        options: BTreeMap::new(),
    })
    .await
    .unwrap()
}

/// A version with one chunk a document and vectors `[1, x]`.
async fn publish(store: &FeatureStore, rows: &[(&str, f32)]) -> Arc<DatasetManifest> {
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    let schema = Arc::new(Schema::new(vec![
        Field::new("document_id", DataType::Utf8, false),
        Field::new("chunk", DataType::Int32, false),
        Field::new("text", DataType::Utf8, true),
        Field::new("vector", DataType::FixedSizeList(Arc::clone(&item), 2), false),
    ]));
    let values: Float32Array = rows.iter().flat_map(|(_, x)| [1.0, *x]).collect();
    let batch = RecordBatch::try_new(
        Arc::clone(&schema),
        vec![
            Arc::new(rows.iter().map(|(id, _)| Some(*id)).collect::<StringArray>()),
            Arc::new(Int32Array::from(vec![0; rows.len()])),
            Arc::new(
                rows.iter()
                    .map(|(id, _)| (*id != "null").then_some(*id))
                    .collect::<StringArray>(),
            ),
            Arc::new(FixedSizeListArray::new(item, 2, Arc::new(values), None)),
        ],
    );
    let mut writer = store.dataset_writer(StageDataset {
        name: Name::new("embedded_chunks").unwrap(),
        schema,
        keys: vec!["document_id".into(), "chunk".into()],
        producer: Producer::default(),
        inputs: Vec::new(),
    });
    writer.write(batch.unwrap()).await.unwrap();
    let commit = Commit {
        task_key: None,
        not_before: None,
        now: Timestamp::UNIX_EPOCH,
    };
    store
        .commit_dataset(writer.finish().await.unwrap(), commit)
        .await
        .unwrap()
        .manifest
}

async fn ids(index: &dyn VectorIndex) -> Vec<String> {
    let mut ids: Vec<String> = index
        .search(&[1.0, 0.0], 99, None)
        .await
        .unwrap()
        .into_iter()
        .map(|h| h.id)
        .collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn a_collection_follows_versions_both_ways() {
    let (store, dir) = (store().await, tempfile::tempdir().unwrap());
    let index = open_embedded(dir.path()).unwrap();
    let first = publish(&store, &[("a", 0.1), ("b", 0.2), ("null", 0.3)]).await;
    let second = publish(&store, &[("a", 0.1), ("b", 0.9), ("c", 0.4)]).await;
    let built = sync_index(&store, &index, &first).await.unwrap();
    assert_eq!((built.mode, built.upserted), (SyncMode::Rebuilt, 3));
    let ahead = sync_index(&store, &index, &second).await.unwrap();
    assert_eq!(
        (ahead.mode, ahead.upserted, ahead.removed),
        (SyncMode::Incremental, 2, 2)
    );
    assert_eq!(ids(&index).await, ["a#0", "b#0", "c#0"]);
    assert_eq!(
        sync_index(&store, &index, &second).await.unwrap().mode,
        SyncMode::Unchanged
    );
    let back = sync(&store, dir.path(), &first).await.unwrap();
    assert_eq!(back.mode, SyncMode::Incremental);
    assert_eq!(ids(&index).await, ["a#0", "b#0", "null#0"]);
    assert_eq!(back.state.source, Some(first.id()));
}

#[tokio::test]
async fn half_a_difference_is_forgotten() {
    let (store, dir) = (store().await, tempfile::tempdir().unwrap());
    let index = open_embedded(dir.path()).unwrap();
    let first = publish(&store, &[("a", 0.1), ("b", 0.2)]).await;
    let broken = publish(&store, &[("b", f32::NAN)]).await;
    let third = publish(&store, &[("a", 0.1), ("b", 0.2), ("c", 0.3)]).await;
    sync_index(&store, &index, &first).await.unwrap();
    let error = sync_index(&store, &index, &broken).await.unwrap_err();
    assert_eq!(error.code(), "vectors.not_finite");
    assert_eq!(
        index.state().await.unwrap().source,
        Some(first.id()),
        "the last good state stands"
    );
    assert_eq!(ids(&index).await, ["a#0", "b#0"]);
    let next = sync_index(&store, &index, &third).await.unwrap();
    assert_eq!((next.mode, next.upserted), (SyncMode::Incremental, 1));
    assert_eq!(ids(&index).await, ["a#0", "b#0", "c#0"]);
}
