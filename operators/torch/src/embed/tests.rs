//! The embedder against sentence-transformers (`infra/golden/minilm.py`), and over real articles where they are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use tch::{Device, Kind};

use super::{Embedded, Embedder, EmbedderOptions, Role};
use crate::{checkpoint::Checkpoint, weights::Weights};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The embedder's weights, or a printed reason why there are none.
fn weights() -> Option<PathBuf> {
    let dir = std::env::var_os("TWINLOOM_EMBEDDER")
        .map_or_else(|| Path::new(ROOT).join(".cache/minilm"), PathBuf::from);
    if !dir.join("model.safetensors").is_file() {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: no embedder in {}: run infra/setup/embedder.sh",
            dir.display()
        );
        return None;
    }
    Some(dir)
}

fn open(options: EmbedderOptions) -> Option<Embedder> {
    Some(Embedder::open(&weights()?, options).unwrap())
}

fn golden() -> (Vec<String>, Vec<f32>) {
    let of = crate::testing::golden;
    let texts: Vec<String> = serde_json::from_slice(&std::fs::read(of("minilm.json")).unwrap()).unwrap();
    let file = Checkpoint::open_files(&of(""), &[of("minilm.safetensors")]).unwrap();
    let vectors = file
        .tensor("vectors", &[texts.len() as i64, 384], Device::Cpu, Kind::Float)
        .unwrap();
    (texts, Vec::try_from(vectors.reshape([-1])).unwrap())
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum::<f64>()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn lowest_cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.chunks_exact(384)
        .zip(b.chunks_exact(384))
        .map(|(a, b)| cosine(a, b))
        .fold(1.0, f64::min)
}

fn strs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

#[test]
fn vectors_equal_those_of_sentence_transformers() {
    let Some(embedder) = open(EmbedderOptions::default()) else {
        return;
    };
    let (texts, expected) = golden();
    assert_eq!(texts.len(), 200);
    let found = embedder.embed(&strs(&texts)).unwrap();
    assert_eq!(
        (found.dimension, embedder.dimension(), embedder.max_length()),
        (384, 384, 256)
    );
    assert!(
        found.truncated > 10,
        "the golden texts hold some that are too long: {}",
        found.truncated
    );
    let lowest = lowest_cosine(&found.vectors, &expected);
    assert!(lowest >= 0.9999, "lowest cosine {lowest}");
    for vector in found.vectors.chunks_exact(384) {
        assert!(
            (vector.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-4,
            "unit length"
        );
    }
}

#[test]
fn neither_batch_size_nor_order_changes_a_vector() {
    let Some(whole) = open(EmbedderOptions::default()) else {
        return;
    };
    let (texts, _) = golden();
    let texts = &strs(&texts)[..24];
    let reversed: Vec<&str> = texts.iter().rev().copied().collect();
    let one = open(EmbedderOptions {
        batch_tokens: 1,
        ..EmbedderOptions::default()
    })
    .unwrap();
    let (a, b) = (whole.embed(texts).unwrap(), one.embed(&reversed).unwrap());
    let back: Vec<f32> = b.vectors.chunks_exact(384).rev().flatten().copied().collect();
    assert!(lowest_cosine(&a.vectors, &back) > 0.999_999);
    assert_eq!(a.tokens, b.tokens, "no padding is computed");
}

#[test]
fn length_can_be_limited_and_vectors_left_as_they_are() {
    let options = EmbedderOptions {
        max_length: Some(8),
        normalise: false,
        ..EmbedderOptions::default()
    };
    let Some(embedder) = open(options) else { return };
    let same = "one two three four five six";
    let Embedded {
        vectors,
        truncated,
        tokens,
        ..
    } = embedder.embed(&[same, &format!("{same} seven eight")]).unwrap();
    assert_eq!((truncated, tokens), (1, 16));
    assert!(cosine(&vectors[..384], &vectors[384..]) > 0.999_999);
    assert!((vectors[..384].iter().map(|v| v * v).sum::<f32>() - 1.0).abs() > 0.1);
    assert!(embedder.embed(&[]).unwrap().vectors.is_empty());
}

#[test]
fn real_articles_are_told_apart() {
    let shared =
        std::env::var_os("TWINLOOM_SHARED").map_or_else(|| Path::new(ROOT).join("../shared"), PathBuf::from);
    let Ok(articles) = std::fs::read_to_string(shared.join("data/articles.jsonl")) else {
        let _ = writeln!(std::io::stderr(), "SKIP: no articles in {}", shared.display());
        return;
    };
    let Some(embedder) = open(EmbedderOptions {
        max_length: Some(128),
        ..EmbedderOptions::default()
    }) else {
        return;
    };
    let texts: Vec<String> = articles
        .lines()
        .take(8)
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["text"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .flat_map(|text| {
            let words: Vec<&str> = text.split_whitespace().collect();
            [words[..80].join(" "), words[80..160].join(" ")]
        })
        .collect();
    let found = embedder.embed(&strs(&texts)).unwrap();
    let vectors: Vec<&[f32]> = found.vectors.chunks_exact(384).collect();
    let own = (0..8)
        .map(|i| cosine(vectors[2 * i], vectors[2 * i + 1]))
        .sum::<f64>()
        / 8.0;
    let others = (0..8)
        .map(|i| cosine(vectors[2 * i], vectors[(2 * i + 3) % 16]))
        .sum::<f64>()
        / 8.0;
    assert!(own > others + 0.1, "halves of one article {own}, of two {others}");
}

#[test]
fn a_folder_that_is_no_embedder_is_refused() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny-llama");
    let error = Embedder::open(&golden, EmbedderOptions::default()).err().unwrap();
    assert_eq!(error.code(), "model.config");
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(
        Embedder::open(empty.path(), EmbedderOptions::default())
            .err()
            .unwrap()
            .code(),
        "model.file_missing"
    );
    assert_eq!(
        super::embedder_dir(Some("/nowhere/at/all")).unwrap_err().code(),
        "model.input"
    );
}

fn encoder(name: &str) -> PathBuf {
    crate::testing::golden("encoders").join(name)
}

/// Against sentence-transformers (`infra/golden/encoders.py`): pooling, prompts, lengths.
#[test]
fn poolings_and_prompts_are_those_of_sentence_transformers() {
    for name in ["bert-mean", "bert-many", "roberta-cls"] {
        let dir = encoder(name);
        let golden: serde_json::Value =
            serde_json::from_slice(&std::fs::read(dir.join("golden.json")).unwrap()).unwrap();
        let texts: Vec<&str> = golden["texts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap())
            .collect();
        let embedder = Embedder::open(&dir, EmbedderOptions::default()).unwrap();
        assert_eq!(embedder.max_length(), 48);
        let mut difference = 0_f64;
        for (role, key) in [
            (Role::Text, "text"),
            (Role::Query, "query"),
            (Role::Document, "document"),
        ] {
            let rows = golden[key].as_array().unwrap();
            let found = embedder.embed_as(&texts[..rows.len()], role).unwrap();
            for (vector, row) in found.vectors.chunks_exact(embedder.dimension()).zip(rows) {
                let row = row.as_array().unwrap();
                assert_eq!(row.len(), vector.len());
                for (a, b) in vector.iter().zip(row) {
                    difference = difference.max((f64::from(*a) - b.as_f64().unwrap()).abs());
                }
            }
        }
        eprintln!("{name}: {difference:.1e}");
        assert!(difference < 1e-5, "{name}: {difference}");
    }
}

#[test]
fn modules_without_code_and_paths_that_lead_away_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(encoder("bert-mean").join(name), dir.path().join(name)).unwrap();
    }
    let open = |modules: &str| {
        std::fs::write(dir.path().join("modules.json"), modules).unwrap();
        let error = Embedder::open(dir.path(), EmbedderOptions::default()).err();
        error.map(|error| (error.code(), error.to_string()))
    };
    assert_eq!(open("[]"), None, "mean pooling where nothing is said");
    let (code, text) =
        open(r#"[{"path": "2_Dense", "type": "sentence_transformers.models.Dense"}]"#).unwrap();
    assert_eq!(code, "model.config");
    assert!(text.contains("Dense"), "{text}");
    let (code, text) = open(r#"[{"path": "../other", "type": "x.Transformer"}]"#).unwrap();
    assert_eq!(code, "model.damaged");
    assert!(text.contains("leads out"), "{text}");
    std::fs::create_dir(dir.path().join("1_Pooling")).unwrap();
    std::fs::write(
        dir.path().join("1_Pooling/config.json"),
        r#"{"pooling_mode": "best"}"#,
    )
    .unwrap();
    assert!(open("[]").unwrap().1.contains("best"));
}

#[test]
fn reduced_weights_give_nearly_the_same_vectors() {
    let (texts, expected) = golden();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for (weights, least) in [(Weights::Bf16, 0.9995), (Weights::Int8, 0.999)] {
        let options = EmbedderOptions {
            weights,
            ..EmbedderOptions::default()
        };
        let Some(embedder) = open(options) else { return };
        let found = embedder.embed(&texts).unwrap().vectors;
        let pairs = found.chunks_exact(384).zip(expected.chunks_exact(384));
        let worst = pairs
            .map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>())
            .fold(1.0, f32::min);
        eprintln!("{weights:?}: cosine {worst}");
        assert!(worst > least, "{weights:?}: cosine {worst}");
    }
}
