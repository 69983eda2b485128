#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod end_to_end;
mod files;
mod git;
mod remote;
mod web;

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use serde_json::{Value, json};
use twinloom_sdk::{ErrorKind, OperatorError};

use crate::harness::{Ended, Home, Wire};

/// Runs `scrape` on sources with an author, and commits what it made.
async fn scrape(home: &Home, config: Value) -> (Ended, Rows) {
    let ended = home.done(home.task("scrape", config).output("documents")).await;
    let rows = Rows(home.rows(&ended.datasets["documents"]).await);
    (ended, rows)
}

async fn fails(home: &Home, config: Value) -> OperatorError {
    home.run(home.task("scrape", config).output("documents"))
        .await
        .expect_err("it fails")
}

async fn fails_on(home: &Home, source: Value) -> OperatorError {
    fails(home, json!({"sources": [source]})).await
}

fn assert_error(error: &OperatorError, kind: ErrorKind, code: &str, names: &str) {
    assert_eq!((error.kind, error.code.as_str()), (kind, code), "{error:?}");
    assert!(error.message.contains(names), "{names} in {}", error.message);
    assert!(!error.hint.is_empty());
}

/// Rows of documents, read in tests.
struct Rows(RecordBatch);

impl Rows {
    fn column(&self, name: &str) -> Vec<Option<String>> {
        let column = self.0.column_by_name(name).unwrap().as_string::<i32>();
        column.iter().map(|value| value.map(str::to_owned)).collect()
    }

    /// Column values by the value of another.
    fn by(&self, key: &str, name: &str) -> BTreeMap<String, String> {
        let pairs = self.column(key).into_iter().zip(self.column(name));
        pairs
            .map(|(key, value)| (key.unwrap_or_default(), value.unwrap_or_default()))
            .collect()
    }

    fn count(&self) -> usize {
        self.0.num_rows()
    }
}

#[tokio::test]
async fn unknown_keys_are_refused_in_sources_too() {
    let home = Home::new().await;
    for config in [
        json!({"sources": [{"kind": "folder", "path": ".", "pth": 1}]}),
        json!({"sources": [{"kind": "disk", "path": "."}]}),
        json!({"sources": [], "limits": {"bytes": 1}}),
    ] {
        let error = fails(&home, config).await;
        assert_eq!(
            (error.kind, error.code.as_str()),
            (ErrorKind::Config, "config.invalid"),
            "{error:?}"
        );
    }
}

#[test]
fn ids_are_stable_and_depend_on_every_part() {
    use super::document::id;
    assert_eq!(
        id(&["link", "https://a.example/1"]),
        id(&["link", "https://a.example/1"])
    );
    assert_ne!(id(&["ab", "c"]), id(&["a", "bc"]));
    assert_eq!(id(&["link", ""]).len(), 32);
}
