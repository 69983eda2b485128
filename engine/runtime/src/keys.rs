//! Hashes that decide what is the same: configurations, cached results, and who committed an artifact.

use indexmap::IndexMap;
use serde_json::Value;
use twinloom_sdk::{ArtifactId, OutputTarget};

/// blake3 of a value in hex; the order of object keys does not count.
pub fn hash_value(value: &Value) -> String {
    let mut hasher = blake3::Hasher::new();
    feed(&mut hasher, value);
    hasher.finalize().to_hex().to_string()
}

/// What an artifact's manifest carries, so that a task that starts again after a crash finds what it had committed.
/// `generation` counts the times that the task had succeeded before: running it again on request is another task.
pub fn task_key(run: &str, task: &str, port: &str, generation: u32) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [run, task, port] {
        feed_text(&mut hasher, part);
    }
    hasher.update(&generation.to_le_bytes());
    hasher.finalize().to_hex().to_string()
}

/// What decides a task's result.
pub struct Identity<'a> {
    /// The operator's name.
    pub operator: &'a str,
    /// Its version.
    pub version: &'a str,
    /// [`hash_value`] of the resolved configuration.
    pub config_hash: &'a str,
    /// Inputs by port.
    pub inputs: &'a IndexMap<String, Vec<ArtifactId>>,
    /// Outputs by port.
    pub outputs: &'a IndexMap<String, OutputTarget>,
    /// What else the operator declares.
    pub salt: Option<&'a str>,
}

impl Identity<'_> {
    /// Equal for tasks whose results are equal: operator, version, configuration, input contents, output names, salt.
    pub fn cache_key(&self) -> String {
        let mut hasher = self.content();
        let mut outputs: Vec<_> = self.outputs.iter().collect();
        outputs.sort_by_key(|(port, _)| *port);
        hasher.update(&(outputs.len() as u64).to_le_bytes());
        for (port, target) in outputs {
            feed_text(&mut hasher, port);
            feed_text(&mut hasher, target.name.as_str());
        }
        hasher.finalize().to_hex().to_string()
    }

    /// A seed that equal work shares, so that running it again gives the same.
    pub fn seed(&self) -> u64 {
        let mut first = [0; 8];
        self.content().finalize_xof().fill(&mut first);
        u64::from_le_bytes(first)
    }

    fn content(&self) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new();
        for part in [
            self.operator,
            self.version,
            self.config_hash,
            self.salt.unwrap_or_default(),
        ] {
            feed_text(&mut hasher, part);
        }
        let mut inputs: Vec<_> = self.inputs.iter().collect();
        inputs.sort_by_key(|(port, _)| *port);
        hasher.update(&(inputs.len() as u64).to_le_bytes());
        for (port, artifacts) in inputs {
            feed_text(&mut hasher, port);
            hasher.update(&(artifacts.len() as u64).to_le_bytes());
            for artifact in artifacts {
                feed_text(&mut hasher, &artifact.id.hash);
            }
        }
        hasher
    }
}

fn feed(hasher: &mut blake3::Hasher, value: &Value) {
    match value {
        Value::Null => drop(hasher.update(b"n")),
        Value::Bool(yes) => drop(hasher.update(if *yes { b"t" } else { b"f" })),
        Value::Number(number) => {
            hasher.update(b"#");
            feed_text(hasher, &number.to_string());
        }
        Value::String(text) => {
            hasher.update(b"s");
            feed_text(hasher, text);
        }
        Value::Array(items) => {
            hasher.update(b"[").update(&(items.len() as u64).to_le_bytes());
            items.iter().for_each(|item| feed(hasher, item));
        }
        Value::Object(map) => {
            hasher.update(b"{").update(&(map.len() as u64).to_le_bytes());
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            for (key, item) in entries {
                feed_text(hasher, key);
                feed(hasher, item);
            }
        }
    }
}

/// With its length, so that no two sequences of texts feed the same bytes.
fn feed_text(hasher: &mut blake3::Hasher, text: &str) {
    hasher
        .update(&(text.len() as u64).to_le_bytes())
        .update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;
    use serde_json::json;
    use twinloom_store::{ArtifactKind, Name, VersionId};

    use super::*;

    fn artifact(hash: &str) -> ArtifactId {
        let id = VersionId {
            name: Name::new("articles").unwrap(),
            version: 1,
            hash: hash.to_owned(),
        };
        ArtifactId {
            kind: ArtifactKind::Dataset,
            id,
        }
    }

    fn key(inputs: &[(&str, &[&str])], salt: Option<&str>) -> String {
        let port = |(port, hashes): &(&str, &[&str])| {
            ((*port).to_owned(), hashes.iter().map(|h| artifact(h)).collect())
        };
        let inputs = inputs.iter().map(port).collect();
        let outputs = IndexMap::new();
        Identity {
            operator: "o",
            version: "1",
            config_hash: "c",
            inputs: &inputs,
            outputs: &outputs,
            salt,
        }
        .cache_key()
    }

    #[test]
    fn the_order_of_keys_does_not_count_and_types_do() {
        assert_eq!(
            hash_value(&json!({"a": 1, "b": [2]})),
            hash_value(&json!({"b": [2], "a": 1}))
        );
        assert_ne!(hash_value(&json!({"a": 1})), hash_value(&json!({"a": "1"})));
        assert_ne!(hash_value(&json!(["ab", "c"])), hash_value(&json!(["a", "bc"])));
    }

    #[test]
    fn a_cache_key_tells_contents_ports_and_salt_apart() {
        let base = key(&[("a", &["1", "2"])], None);
        assert_eq!(base, key(&[("a", &["1", "2"])], None));
        assert_ne!(base, key(&[("a", &["2", "1"])], None));
        assert_ne!(base, key(&[("a", &["1"]), ("b", &["2"])], None));
        assert_ne!(base, key(&[("a", &["1", "2"])], Some("x")));
        assert_eq!(
            key(&[("a", &["1"]), ("b", &["2"])], None),
            key(&[("b", &["2"]), ("a", &["1"])], None)
        );
    }

    proptest! {
        #[test]
        fn task_keys_of_different_tasks_differ(a in "[a-c/]{0,4}", b in "[a-c/]{0,4}", c in "[a-c/]{0,4}", d in "[a-c/]{0,4}") {
            let same = (&a, &b) == (&c, &d);
            prop_assert_eq!(task_key(&a, &b, "p", 0) == task_key(&c, &d, "p", 0), same);
            prop_assert_ne!(task_key(&a, &b, "p", 0), task_key(&a, &b, "p", 1));
        }
    }
}
