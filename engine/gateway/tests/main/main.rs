//! The client of the libtorch worker against the worker itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod answers;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use serde_json::json;
use twinloom_gateway::{Generate, Part, Sampling, TorchWorker};

/// The worker that is built, or a printed reason why there is none.
fn worker() -> Option<PathBuf> {
    let beside = std::env::current_exe()
        .unwrap()
        .ancestors()
        .nth(2)
        .unwrap()
        .join("twinloom-torch");
    let found = std::env::var_os("TWINLOOM_TORCH").map_or(beside, PathBuf::from);
    if found.is_file() {
        return Some(found);
    }
    let _ = writeln!(
        std::io::stderr(),
        "SKIP: no worker at {}: `make build` builds it",
        found.display()
    );
    None
}

/// Files that the worker's own tests use.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../operators/torch/tests/golden")
        .join(name)
}

/// A tiny model with a tokenizer of one token a byte.
fn model() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (weights, bytes) = (golden("tiny-llama"), golden("bytes"));
    for (from, name) in [
        (&weights, "config.json"),
        (&weights, "model.safetensors"),
        (&bytes, "tokenizer.json"),
        (&bytes, "tokenizer_config.json"),
    ] {
        std::fs::copy(from.join(name), dir.path().join(name)).unwrap();
    }
    dir
}

fn generate(model: &Path, seed: u64, max_new_tokens: usize) -> Generate {
    Generate {
        model: model.to_owned(),
        messages: Some(vec![json!({"role": "user", "content": "hello"})]),
        sampling: Sampling {
            max_new_tokens,
            temperature: 1.0,
            seed,
            ..Sampling::default()
        },
        ..Generate::default()
    }
}

#[tokio::test]
async fn many_ask_at_once_and_each_gets_its_own_answer() {
    let Some(program) = worker() else { return };
    let (dir, worker) = (model(), TorchWorker::start(&program).unwrap());
    let alone = worker.generate(&generate(dir.path(), 3, 20)).await.unwrap();
    let requests: Vec<_> = (0..6).map(|seed| generate(dir.path(), seed, 20)).collect();
    let answers = futures::future::join_all(requests.iter().map(|request| worker.generate(request))).await;
    let texts: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().text).collect();
    assert_eq!(texts[3], alone.text, "whatever is written beside it");
    assert_ne!(texts[2], texts[4]);

    let mut writing = worker.stream(generate(dir.path(), 3, 20)).await.unwrap();
    let (mut text, mut whole) = (String::new(), None);
    while let Some(part) = writing.next().await.unwrap() {
        match part {
            Part::Text(part) => text.push_str(&part),
            Part::Done(done) => whole = Some(done),
        }
    }
    assert_eq!(
        (text.as_str(), whole.unwrap().text.as_str()),
        (alone.text.as_str(), alone.text.as_str())
    );
}

#[tokio::test]
async fn a_text_that_nobody_waits_for_is_taken_back_and_errors_come_typed() {
    let Some(program) = worker() else { return };
    let (dir, worker) = (model(), TorchWorker::start(&program).unwrap());
    let mut writing = worker.stream(generate(dir.path(), 1, 100)).await.unwrap();
    writing.next().await.unwrap();
    drop(writing);
    // Cancelled or, at the latest, finished: the engine is empty in the end.
    loop {
        let stats = worker.stats().await.unwrap();
        if stats["models"][0]["stats"]["running"] == 0 {
            break;
        }
    }
    let error = worker
        .generate(&generate(Path::new("/nowhere"), 1, 4))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "model.input");
    assert!(!error.hint().is_empty());
    assert_eq!(
        worker
            .generate(&generate(dir.path(), 1, 4))
            .await
            .unwrap()
            .new_tokens,
        4
    );
}

#[tokio::test]
async fn documents_are_ordered_by_a_cross_encoder() {
    let Some(program) = worker() else { return };
    let worker = TorchWorker::start(&program).unwrap();
    let model = golden("encoders/bert-reranker");
    let documents: Vec<String> = ["a river", "the old garden wall", "bread and salt"]
        .map(str::to_owned)
        .into();
    let ranked = worker
        .rerank(&model.to_string_lossy(), "who built the wall?", &documents)
        .await
        .unwrap();
    let mut places: Vec<usize> = ranked.iter().map(|(place, _)| *place).collect();
    assert!(ranked.windows(2).all(|pair| pair[0].1 >= pair[1].1), "{ranked:?}");
    // Each score is its document's, whatever stands beside it.
    for (place, score) in &ranked {
        let alone = worker
            .rerank(
                &model.to_string_lossy(),
                "who built the wall?",
                &documents[*place..=*place],
            )
            .await
            .unwrap();
        assert!((alone[0].1 - score).abs() < 1e-4, "{ranked:?} {alone:?}");
    }
    places.sort_unstable();
    assert_eq!(places, [0, 1, 2]);
    let error = worker.rerank("/nowhere", "?", &documents).await.unwrap_err();
    assert_eq!(error.code(), "model.input", "{error}");
}
