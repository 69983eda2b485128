#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{from_value, json};

use super::*;

#[test]
fn an_empty_configuration_is_the_default() {
    assert_eq!(from_value::<Config>(json!({})).unwrap(), Config::default());
    assert!(Config::default().check().is_ok());
}

#[test]
fn bounds_are_held_and_named() {
    for (config, key) in [
        (json!({"k": 0}), "`k`"),
        (json!({"self_queries": 0}), "queries"),
        (json!({"min_recall": 1.5}), "min_recall"),
    ] {
        let error = from_value::<Config>(config).unwrap().check().unwrap_err();
        assert_eq!(error.code, "retrieve.config");
        assert!(error.message.contains(key), "{error}");
    }
    assert!(from_value::<Config>(json!({"top_k": 3})).is_err());
}

#[test]
fn another_embedder_or_reranker_is_another_result() {
    let (embedder, reranker) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config: Config = from_value(json!({"model": embedder.path(), "reranker": reranker.path()})).unwrap();
    let write = |dir: &Path, text: &str| std::fs::write(dir.join("config.json"), text).unwrap();
    write(embedder.path(), "{}");
    write(reranker.path(), "{}");
    let first = salt(&config).unwrap();
    assert_eq!(salt(&config).unwrap(), first);
    write(embedder.path(), "{ }");
    let second = salt(&config).unwrap();
    assert_ne!(second, first);
    write(reranker.path(), "{ }");
    assert_ne!(salt(&config).unwrap(), second);
    let registered = crate::registry();
    let retrieve = registered.get("retrieve").unwrap();
    assert_eq!(retrieve.cache_salt(&json!(config)), salt(&config));
}
