//! `embed` as the scheduler runs it: a process, a task on stdin, rows in the store.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Float32Type},
};
use serde_json::json;
use twinloom_sdk::{ErrorKind, records};

use super::support::{Bench, embedder};

/// Chunks of documents: id, text.
fn chunks(documents: &[(&str, &str)]) -> RecordBatch {
    let schema = records::chunks();
    let column = |field: &Arc<arrow::datatypes::Field>| -> ArrayRef {
        let texts = |text: fn(&(&str, &str)) -> String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(documents.iter().map(text)))
        };
        match (field.name().as_str(), field.data_type()) {
            ("document_id", _) => texts(|(id, _)| (*id).to_owned()),
            ("text", _) => texts(|(_, text)| (*text).to_owned()),
            (_, DataType::Int32) => Arc::new(Int32Array::from(vec![0; documents.len()])),
            (_, DataType::Int64) => Arc::new(Int64Array::from(vec![0; documents.len()])),
            _ => texts(|_| "article".to_owned()),
        }
    };
    let columns = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(schema, columns).unwrap()
}

/// Vectors by document.
async fn vectors(bench: &Bench, manifest: &twinloom_store::DatasetManifest) -> BTreeMap<String, Vec<f32>> {
    let mut found = BTreeMap::new();
    for batch in bench.rows(manifest).await {
        let ids = batch.column_by_name("document_id").unwrap().as_string::<i32>();
        let lists = batch.column_by_name("vector").unwrap().as_fixed_size_list();
        for row in 0..batch.num_rows() {
            let values = lists.value(row).as_primitive::<Float32Type>().values().to_vec();
            found.insert(ids.value(row).to_owned(), values);
        }
    }
    found
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[tokio::test]
async fn chunks_get_vectors_and_only_changed_ones_get_new_ones() {
    let Some(dir) = embedder() else { return };
    let environment = [("TWINLOOM_EMBEDDER", dir.as_path())];
    let bench = Bench::new().await;
    let rows = chunks(&[
        ("cat", "a small cat sleeps"),
        ("kitten", "a kitten is asleep"),
        ("tax", "income tax law"),
    ]);
    let first = bench.publish("chunks", rows, &["document_id", "chunk"]).await;
    let (said, made) = bench
        .run(&bench.task("embed", &first, json!({})), &environment)
        .await;
    assert!(said.success);
    assert_eq!(
        (&said.metrics()["mode"], &said.metrics()["rows_out"]),
        (&json!("full"), &json!(3))
    );
    let before = vectors(&bench, &made.unwrap()).await;
    assert_eq!(before["cat"].len(), 384);
    assert!((dot(&before["cat"], &before["cat"]) - 1.0).abs() < 1e-5);
    assert!(dot(&before["cat"], &before["kitten"]) > dot(&before["cat"], &before["tax"]) + 0.2);

    let rows = chunks(&[
        ("cat", "a small cat sleeps"),
        ("tax", "value added tax"),
        ("sea", "waves on the sea"),
    ]);
    let second = bench.publish("chunks", rows, &["document_id", "chunk"]).await;
    let (said, made) = bench
        .run(&bench.task("embed", &second, json!({})), &environment)
        .await;
    assert_eq!(said.metrics()["mode"], json!("incremental"));
    let after = vectors(&bench, &made.unwrap()).await;
    assert_eq!(after.keys().collect::<Vec<_>>(), ["cat", "sea", "tax"]);
    assert_eq!(after["cat"], before["cat"]);
    assert_ne!(after["tax"], before["tax"]);
}

#[tokio::test]
async fn what_is_missing_is_named_with_the_fix() {
    let bench = Bench::new().await;
    let rows = bench
        .publish("chunks", chunks(&[("a", "text")]), &["document_id", "chunk"])
        .await;
    let nowhere = [("TWINLOOM_EMBEDDER", Path::new("/nowhere"))];
    for (config, code) in [
        (json!({}), "model.input"),
        (json!({"batch_tokens": 1}), "embed.config"),
        (json!({"batch": 1}), "config.invalid"),
        (json!({"device": "tpu"}), "model.input"),
    ] {
        let (said, made) = bench
            .run(&bench.task("embed", &rows, config.clone()), &nowhere)
            .await;
        assert!(!said.success && made.is_none());
        assert_eq!(
            (said.error().kind, said.error().code.as_str()),
            (ErrorKind::Config, code),
            "{config}"
        );
        assert!(!said.error().hint.is_empty());
    }
}
