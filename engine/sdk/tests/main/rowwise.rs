//! An author writes a row-wise map; inserts, updates and deletes come out right.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use twinloom_sdk::ErrorKind;

use super::support::{Bench, config};

fn documents(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(id, text)| ((*id).to_owned(), (*text).to_owned()))
        .collect()
}

fn expected(rows: &BTreeMap<String, String>) -> Vec<String> {
    let words = |(id, text): (&String, &String)| -> Vec<String> {
        text.split_whitespace()
            .enumerate()
            .map(|(place, word)| format!("{id}/{place}/{word}"))
            .collect()
    };
    let mut all: Vec<String> = rows.iter().flat_map(words).collect();
    all.sort();
    all
}

#[tokio::test]
async fn only_what_differs_is_mapped_and_what_is_gone_goes() {
    let bench = Bench::new().await;
    let mut rows = documents(&[("a", "one two three"), ("b", "four"), ("c", "five six")]);
    let first = bench.documents(&rows).await;
    let (version, mode, mapped) = bench.words(&first, config()).await;
    assert_eq!((mode.as_str(), mapped), ("full", 3));
    assert_eq!(bench.rows(&version).await, expected(&rows));

    rows.insert("a".to_owned(), "one".to_owned());
    rows.insert("d".to_owned(), "seven".to_owned());
    rows.remove("b");
    let second = bench.documents(&rows).await;
    let (version, mode, mapped) = bench.words(&second, config()).await;
    assert_eq!((mode.as_str(), mapped), ("incremental", 2));
    assert_eq!(bench.rows(&version).await, expected(&rows));
    assert_eq!(
        version
            .data
            .changes
            .map(|changes| (changes.added, changes.changed, changes.removed)),
        Some((1, 1, 1))
    );
}

#[tokio::test]
async fn another_configuration_maps_everything() {
    let bench = Bench::new().await;
    let rows = documents(&[("a", "one"), ("b", "two")]);
    let manifest = bench.documents(&rows).await;
    bench.words(&manifest, config()).await;
    let (version, mode, mapped) = bench.words(&manifest, json!({ "upper": true })).await;
    assert_eq!((mode.as_str(), mapped), ("full", 2));
    assert_eq!(bench.rows(&version).await, ["a/0/ONE", "b/0/TWO"]);
}

#[tokio::test]
async fn another_model_maps_everything() {
    let bench = Bench::new().await;
    let mut rows = documents(&[("a", "one"), ("b", "two")]);
    for (model, text, expected) in [
        (1, "first", ("full", 3)),
        (1, "second", ("incremental", 1)),
        (2, "third", ("full", 3)),
        (2, "fourth", ("incremental", 1)),
    ] {
        bench.model.store(model, std::sync::atomic::Ordering::Relaxed);
        rows.insert("c".to_owned(), text.to_owned());
        let manifest = bench.documents(&rows).await;
        let (_, mode, mapped) = bench.words(&manifest, config()).await;
        assert_eq!((mode.as_str(), mapped), expected, "{text}");
    }
}

#[tokio::test]
async fn a_document_may_lose_all_its_rows_and_get_them_back() {
    let bench = Bench::new().await;
    for text in ["one two", "", "three"] {
        let rows = documents(&[("a", text), ("b", "stays")]);
        let manifest = bench.documents(&rows).await;
        let (version, _, _) = bench.words(&manifest, config()).await;
        assert_eq!(bench.rows(&version).await, expected(&rows), "{text}");
    }
}

#[tokio::test]
async fn a_row_under_a_key_that_its_batch_does_not_have_is_a_bug() {
    let bench = Bench::with_entity("elsewhere").await;
    let manifest = bench.documents(&documents(&[("a", "one")])).await;
    let error = bench.execute(bench.task(&manifest, config())).await.unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Bug, "rowwise.entity")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the order of changes, increments end where a run from nothing ends.
    #[test]
    fn increments_equal_a_run_from_nothing(
        states in prop::collection::vec(
            prop::collection::btree_map("[a-f]", "[xyz ]{0,6}", 0..6), 1..6,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new().await;
            let mut last = None;
            for rows in &states {
                let manifest = bench.documents(rows).await;
                let (version, _, _) = bench.words(&manifest, config()).await;
                assert_eq!(bench.rows(&version).await, expected(rows));
                last = Some((version, manifest));
            }
            let (version, manifest) = last.unwrap();
            let fresh = Bench::new().await;
            drop(manifest);
            let manifest = fresh.documents(states.last().unwrap()).await;
            let (whole, _, _) = fresh.words(&manifest, config()).await;
            assert_eq!(version.data.content_hash, whole.data.content_hash);
        });
    }
}
