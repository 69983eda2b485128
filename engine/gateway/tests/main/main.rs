//! The client of the libtorch worker against the worker itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

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
    eprintln!("SKIP: no worker at {}: `make build` builds it", found.display());
    None
}

/// A tiny model with a tokenizer of one token a byte.
fn model() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../operators/torch/tests/golden/tiny-llama");
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(golden.join(name), dir.path().join(name)).unwrap();
    }
    let vocabulary: serde_json::Map<_, _> = (0..256).map(|id| (format!("<0x{id:02X}>"), json!(id))).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": null, "post_processor": null, "decoder": {"type": "ByteFallback"},
        "model": {"type": "BPE", "unk_token": null, "byte_fallback": true, "vocab": vocabulary, "merges": []},
    });
    std::fs::write(dir.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    std::fs::write(dir.path().join("tokenizer_config.json"), "{}").unwrap();
    dir
}

fn generate(model: &Path, seed: u64, max_new_tokens: usize) -> Generate {
    Generate {
        model: model.to_owned(),
        adapter: None,
        messages: vec![json!({"role": "user", "content": "hello"})],
        stop: Vec::new(),
        sampling: Sampling {
            max_new_tokens,
            temperature: 1.0,
            seed,
            ..Sampling::default()
        },
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

    let mut writing = worker.stream(&generate(dir.path(), 3, 20)).await.unwrap();
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
    let mut writing = worker.stream(&generate(dir.path(), 1, 100)).await.unwrap();
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
    assert_eq!(error.code(), "model.file_missing");
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
