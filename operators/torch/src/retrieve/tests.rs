#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{io::Write as _, sync::Arc};

use arrow::array::{Array, ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use serde_json::json;
use twinloom_sdk::records;

use super::queries::sentence;
use crate::testing::Bench;

const TEXTS: [&str; 6] = [
    "Bread needs flour and water. A sourdough loaf rises slowly overnight in a cool kitchen. Then it is baked.",
    "The gradient of the loss tells the optimizer in which direction the weights of the network should move.",
    "Alpine meadows bloom in early June, when the snow has gone from the high southern slopes of the valley.",
    "A write-ahead log lets a database survive a crash, because every change is written down before it is made.",
    "The violin's bow hair is made from the tail of a horse, and has to be replaced about once in a year.",
    "Tax returns of small companies are due at the end of July unless an adviser asks for more time before.",
];

/// Embedded with the real model, where it is set up.
fn embedder() -> Option<String> {
    let beside = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/minilm");
    let dir = std::env::var_os("TWINLOOM_EMBEDDER")
        .map(std::path::PathBuf::from)
        .unwrap_or(beside);
    if dir.join("model.safetensors").is_file() {
        return Some(dir.to_string_lossy().into_owned());
    }
    let _ = writeln!(
        std::io::stderr(),
        "SKIP: there is no embedder in {}: run infra/setup/embedder.sh",
        dir.display()
    );
    None
}

fn chunks() -> RecordBatch {
    let text =
        |values: Vec<Option<String>>| -> ArrayRef { Arc::new(values.into_iter().collect::<StringArray>()) };
    let each = |make: fn(usize) -> String| text((0..TEXTS.len()).map(|n| Some(make(n))).collect());
    let number = |n: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![n; TEXTS.len()])) };
    RecordBatch::try_new(
        records::chunks(),
        vec![
            each(|n| format!("doc-{n}")),
            Arc::new(Int32Array::from(vec![0; TEXTS.len()])),
            each(|_| "article".to_owned()),
            each(|_| "test".to_owned()),
            text(vec![None; TEXTS.len()]),
            each(|n| format!("https://example.org/{n}")),
            each(|n| format!("Title {n}")),
            text(vec![None; TEXTS.len()]),
            each(|n| TEXTS[n].to_owned()),
            number(0),
            number(1),
        ],
    )
    .unwrap()
}

#[test]
fn a_query_is_a_sentence_of_some_length() {
    assert_eq!(
        sentence(TEXTS[0]).unwrap(),
        "A sourdough loaf rises slowly overnight in a cool kitchen"
    );
    assert_eq!(sentence("Too short. Also this."), None);
    assert_eq!(sentence(&"word ".repeat(100)).unwrap().split(' ').count(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_are_found_by_their_own_sentences_exactly_and_through_a_collection() {
    let Some(model) = embedder() else { return };
    let mut bench = Bench::new().await;
    let chunks = bench.dataset("chunks", &["document_id", "chunk"], chunks()).await;
    let embedded = bench
        .run("embed", json!({"model": model}), &[("chunks", &chunks)])
        .await
        .unwrap();
    let embedded = embedded.outputs.values().next().unwrap().clone();
    let config = json!({"model": model, "k": 2, "queries": ["How does a database outlive a power cut?"], "min_recall": 0.9});
    let done = bench
        .run("retrieve", config.clone(), &[("chunks", &embedded)])
        .await
        .unwrap();
    assert_eq!(done.metrics["recall_at_1"], json!(1.0), "{:?}", done.metrics);
    assert_eq!(
        (&done.metrics["queries"], &done.metrics["self_queries"]),
        (&json!(7), &json!(6))
    );
    let hits = bench.rows(&done.outputs["hits"].id).await;
    let column = |name: &str| {
        let all = hits
            .iter()
            .map(|rows| rows.column_by_name(name).unwrap().as_ref())
            .collect::<Vec<_>>();
        arrow::compute::concat(&all)
            .unwrap()
            .as_any()
            .downcast_ref::<StringArray>()
            .unwrap()
            .clone()
    };
    let (queries, documents, links) = (column("query"), column("document_id"), column("link"));
    assert_eq!(queries.len(), 14);
    let asked = (0..queries.len())
        .find(|row| queries.value(*row).starts_with("How does"))
        .unwrap();
    assert_eq!(
        (documents.value(asked), links.value(asked)),
        ("doc-3", "https://example.org/3")
    );

    // The same files and one more are another model, whatever its vectors' length.
    let other = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(&model).unwrap() {
        let file = file.unwrap();
        std::os::unix::fs::symlink(file.path(), other.path().join(file.file_name())).unwrap();
    }
    std::fs::write(other.path().join("more.json"), "{}").unwrap();
    let error = bench
        .run(
            "retrieve",
            json!({"model": other.path()}),
            &[("chunks", &embedded)],
        )
        .await
        .unwrap_err();
    assert_eq!(error.code, "retrieve.embedder");

    let missing = json!({"model": model, "collection": "none"});
    let error = bench
        .run("retrieve", missing, &[("chunks", &embedded)])
        .await
        .unwrap_err();
    assert_eq!(error.code, "retrieve.collection");
    let manifest = bench.store.dataset_exact(&embedded.id).await.unwrap();
    let folder = bench.dir.path().join("vectors").join("known");
    twinloom_store::vectors::sync(&bench.store, &folder, &manifest)
        .await
        .unwrap();
    let mut through = config;
    through["collection"] = json!("known");
    let through = bench
        .run("retrieve", through, &[("chunks", &embedded)])
        .await
        .unwrap();
    assert_eq!(through.metrics, done.metrics);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reranker_orders_what_was_found() {
    let Some(model) = embedder() else { return };
    let reranker = crate::testing::golden("encoders").join("bert-reranker");
    let mut bench = Bench::new().await;
    let input = bench.dataset("chunks", &["document_id", "chunk"], chunks()).await;
    let embedded = bench
        .run("embed", json!({"model": model}), &[("chunks", &input)])
        .await
        .unwrap();
    let chunks = embedded.outputs.values().next().unwrap().clone();
    let config = json!({"model": model, "queries": ["How is bread made?"], "self_queries": 0, "k": 3, "candidates": 6,
        "reranker": reranker});
    let done = bench
        .run("retrieve", config.clone(), &[("chunks", &chunks)])
        .await
        .unwrap();
    let rows = bench.rows(&done.outputs["hits"].id).await;
    let documents: Vec<String> = rows
        .iter()
        .flat_map(|rows| {
            let column = rows.column_by_name("document_id").unwrap();
            let column = column.as_any().downcast_ref::<StringArray>().unwrap();
            column.iter().flatten().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let model = crate::rerank::Reranker::open(&reranker, crate::rerank::RerankerOptions::default()).unwrap();
    let expected = model.score("How is bread made?", &TEXTS).unwrap();
    let best: Vec<String> = expected
        .order()
        .iter()
        .take(3)
        .map(|n| format!("doc-{n}"))
        .collect();
    assert_eq!(documents, best);

    let mut few = config;
    few["candidates"] = json!(2);
    let error = bench
        .run("retrieve", few, &[("chunks", &chunks)])
        .await
        .unwrap_err();
    assert_eq!(error.code, "retrieve.config");
}
