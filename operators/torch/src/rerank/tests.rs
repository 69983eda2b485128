//! Scores against those of sentence-transformers (`infra/golden/encoders.py`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::PathBuf;

use serde_json::Value;

use super::{Reranker, RerankerOptions, Scored};

fn golden(name: &str) -> (PathBuf, Value) {
    let dir = crate::testing::golden("encoders").join(name);
    let golden = serde_json::from_slice(&std::fs::read(dir.join("golden.json")).unwrap()).unwrap();
    (dir, golden)
}

fn texts(golden: &Value) -> Vec<&str> {
    let texts = golden["texts"].as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn scores_equal_those_of_sentence_transformers() {
    for name in ["bert-reranker", "roberta-reranker"] {
        let (dir, golden) = golden(name);
        let reranker = Reranker::open(&dir, RerankerOptions::default()).unwrap();
        let (query, texts) = (golden["query"].as_str().unwrap(), texts(&golden));
        let found = reranker.score(query, &texts).unwrap();
        let mut difference = 0_f64;
        for (score, expected) in found.scores.iter().zip(golden["scores"].as_array().unwrap()) {
            difference = difference.max((f64::from(*score) - expected.as_f64().unwrap()).abs());
        }
        eprintln!("{name}: {difference:.1e}");
        assert!(difference < 1e-5, "{name}: {difference}");
        assert!(found.truncated > 0);

        // One at a time, and with a batch of one pair, the same comes out; nothing is padded.
        let narrow = RerankerOptions {
            batch_tokens: 1,
            ..RerankerOptions::default()
        };
        let again = Reranker::open(&dir, narrow)
            .unwrap()
            .score(query, &texts)
            .unwrap();
        assert_eq!(again.tokens, found.tokens);
        let apart = |(a, b): (&f32, &f32)| (a - b).abs();
        assert!(
            again
                .scores
                .iter()
                .zip(&found.scores)
                .map(apart)
                .fold(0.0, f32::max)
                < 1e-6
        );
    }
}

#[test]
fn the_best_document_comes_first_and_ties_keep_their_order() {
    let scored = Scored {
        scores: vec![0.1, 0.9, 0.5, 0.9],
        truncated: 0,
        tokens: 0,
    };
    assert_eq!(scored.order(), [1, 3, 2, 0]);
}

#[test]
fn what_is_no_reranker_is_refused() {
    let code = |name: &str| {
        Reranker::open(&golden(name).0, RerankerOptions::default())
            .err()
            .unwrap()
            .code()
    };
    assert_eq!(code("bert-mean"), "model.tensor_missing");
    let empty = tempfile::tempdir().unwrap();
    let error = Reranker::open(empty.path(), RerankerOptions::default())
        .err()
        .unwrap();
    assert_eq!(error.code(), "model.file_missing");
}
