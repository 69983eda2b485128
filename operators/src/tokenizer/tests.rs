#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{from_value, json};

use super::*;

#[test]
fn an_empty_configuration_is_the_default() {
    assert_eq!(from_value::<Config>(json!({})).unwrap(), Config::default());
    assert!(Config::default().check().is_ok());
}

#[test]
fn a_misspelt_key_is_an_error() {
    assert!(
        from_value::<Config>(json!({"vocabsize": 4096}))
            .unwrap_err()
            .to_string()
            .contains("vocabsize")
    );
}

#[test]
fn bounds_are_held_and_named() {
    for (config, key) in [
        (json!({"vocab_size": 300}), "vocab_size"),
        (json!({"eval_share": 1.0}), "eval_share"),
        (json!({"max_token_length": 1}), "max_token_length"),
        (json!({"max_megabytes": 0}), "max_megabytes"),
    ] {
        let error = from_value::<Config>(config).unwrap().check().unwrap_err();
        assert_eq!(error.code, "tokenizer.config");
        assert!(error.message.contains(key), "{error}");
    }
}

#[test]
fn special_tokens_are_numbered_from_zero() {
    assert!(
        SPECIAL_TOKENS
            .iter()
            .enumerate()
            .all(|(id, token)| token.id as usize == id)
    );
}
