#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{fs, sync::Arc};

use arrow::{
    array::{ArrayRef, FixedSizeListArray, Float32Array, Int32Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field},
};
use serde_json::{Value, json};
use twinloom_sdk::{TaskDocument, records};
use twinloom_store::{
    DatasetManifest,
    vectors::{VectorIndex, open_embedded},
};

use crate::harness::{Home, Wire};

/// Embedded chunks: two of each document, with vectors that depend on document and text.
fn chunks(documents: &[(&str, f32)]) -> RecordBatch {
    let rows: Vec<(&str, i32, f32)> = documents
        .iter()
        .flat_map(|(id, x)| [(*id, 0, *x), (*id, 1, -x)])
        .collect();
    let texts = |of: &dyn Fn(&(&str, i32, f32)) -> String| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(of(row))).collect::<StringArray>())
    };
    let numbers = |n: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![n; rows.len()])) };
    let values: Float32Array = rows.iter().flat_map(|(_, _, x)| [1.0, *x, 0.5]).collect();
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    let vectors = FixedSizeListArray::new(item, 3, Arc::new(values), None);
    RecordBatch::try_new(
        records::embedded_chunks(3),
        vec![
            texts(&|row| row.0.to_owned()),
            Arc::new(rows.iter().map(|row| row.1).collect::<Int32Array>()),
            texts(&|_| "article".to_owned()),
            texts(&|_| "git".to_owned()),
            texts(&|_| "Ada".to_owned()),
            texts(&|row| format!("https://example.org/{}", row.0)),
            texts(&|row| format!("Title {}", row.0)),
            texts(&|_| "Part".to_owned()),
            texts(&|row| format!("{} says {}", row.0, row.2)),
            numbers(0),
            numbers(9),
            Arc::new(vectors),
        ],
    )
    .unwrap()
}

async fn publish(home: &Home, documents: &[(&str, f32)]) -> Arc<DatasetManifest> {
    home.publish("embedded_chunks", &["document_id", "chunk"], chunks(documents))
        .await
}

fn task(home: &Home, manifest: &DatasetManifest) -> TaskDocument {
    home.task("index", json!({}))
        .dataset("chunks", manifest)
        .output("state")
}

fn figure(metrics: &Value, name: &str) -> u64 {
    metrics[name].as_u64().unwrap()
}

#[tokio::test]
async fn a_collection_follows_its_dataset_by_difference() {
    let home = Home::new().await;
    let first = publish(&home, &[("a", 0.1), ("b", 0.2), ("c", 0.3)]).await;
    let built = home.done(task(&home, &first)).await;
    assert_eq!(built.metrics["mode"], "rebuilt");
    assert_eq!(figure(&built.metrics, "vectors"), 6);
    assert!(home.log().contains("new"), "{}", home.log());
    let state = home.rows(&built.datasets["state"]).await;
    assert_eq!(state.num_rows(), 1);
    assert_eq!(built.datasets["state"].version, 1);

    let again = home.done(task(&home, &first)).await;
    assert_eq!(again.metrics["mode"], "unchanged");
    assert_eq!(again.datasets["state"].version, 1, "nothing new is published");

    let second = publish(&home, &[("a", 0.1), ("b", 9.0), ("d", 0.4)]).await;
    let changed = home.done(task(&home, &second)).await;
    assert_eq!(changed.metrics["mode"], "incremental");
    assert_eq!(
        (
            figure(&changed.metrics, "upserted"),
            figure(&changed.metrics, "entities_removed")
        ),
        (4, 2)
    );
    let index = open_embedded(&home.path().join("vectors/chunks")).unwrap();
    let hits = index.search(&[0.0, 1.0, 0.0], 10, None).await.unwrap();
    assert_eq!(hits.len(), 6);
    assert_eq!(
        (hits[0].id.as_str(), &hits[0].payload["text"]),
        ("b#0", &json!("b says 9"))
    );
    assert!(hits.iter().all(|hit| hit.entity != "c"));
    assert_eq!(index.state().await.unwrap().source, Some(second.id()));

    let back = home.done(task(&home, &first)).await;
    assert_eq!(
        back.metrics["mode"], "incremental",
        "an earlier version is reached the same way"
    );
    assert_eq!(
        index.search(&[0.0, 1.0, 0.0], 1, None).await.unwrap()[0].entity,
        "c"
    );
}

#[tokio::test]
async fn a_lost_or_damaged_collection_heals() {
    let home = Home::new().await;
    let manifest = publish(&home, &[("a", 0.1), ("b", 0.2)]).await;
    home.done(task(&home, &manifest)).await;
    let folder = home.path().join("vectors/chunks");
    let file = |extension: &str| {
        let found = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        found
            .into_iter()
            .find(|path| path.extension().is_some_and(|e| e == extension))
            .unwrap()
    };
    let damages: [&dyn Fn(); 5] = [
        &|| fs::remove_dir_all(&folder).unwrap(),
        &|| fs::write(folder.join("index.json"), "{}").unwrap(),
        &|| fs::remove_file(file("keys")).unwrap(),
        &|| {
            fs::write(
                file("vec"),
                vec![7; fs::metadata(file("vec")).unwrap().len() as usize],
            )
            .unwrap()
        },
        &|| fs::write(file("rows"), "").unwrap(),
    ];
    for (number, damage) in damages.iter().enumerate() {
        damage();
        let healed = home.done(task(&home, &manifest)).await;
        assert_eq!(healed.metrics["mode"], "rebuilt", "damage {number}");
        let index = open_embedded(&folder).unwrap();
        assert_eq!(
            index.search(&[1.0, 0.2, 0.5], 1, None).await.unwrap()[0].id,
            "b#0"
        );
        assert_eq!(
            home.done(task(&home, &manifest)).await.metrics["mode"],
            "unchanged"
        );
    }
}

#[tokio::test]
async fn another_dataset_or_a_gone_version_is_a_reason_to_build_anew() {
    let home = Home::new().await;
    let first = publish(&home, &[("a", 0.1)]).await;
    home.done(task(&home, &first)).await;
    let other = home
        .publish("others", &["document_id", "chunk"], chunks(&[("z", 0.9)]))
        .await;
    assert_eq!(home.done(task(&home, &other)).await.metrics["mode"], "rebuilt");
    assert!(
        home.log().contains("another dataset, embedded_chunks@1"),
        "{}",
        home.log()
    );
    let index = open_embedded(&home.path().join("vectors/chunks")).unwrap();
    assert!(
        index
            .search(&[1.0, 0.0, 0.0], 9, None)
            .await
            .unwrap()
            .iter()
            .all(|hit| hit.entity == "z")
    );
}

#[tokio::test]
async fn what_cannot_be_indexed_is_named() {
    let home = Home::new().await;
    let rows =
        RecordBatch::try_from_iter([("id", Arc::new(StringArray::from(vec!["a"])) as ArrayRef)]).unwrap();
    let manifest = home.publish("texts", &["id"], rows).await;
    let error = home.run(task(&home, &manifest)).await.unwrap_err();
    assert_eq!(error.code, "vectors.bad_rows");
    assert!(
        error.message.contains("texts@1") && error.message.contains("vector"),
        "{error}"
    );
    for name in ["../escape", "", "UPPER", "a/b"] {
        let mut task = task(&home, &manifest);
        task.config = json!({"collection": name});
        assert_eq!(
            home.run(task).await.unwrap_err().code,
            "index.collection",
            "{name}"
        );
    }
}
