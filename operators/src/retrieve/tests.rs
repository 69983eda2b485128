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
