#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{from_value, json};

use super::*;

#[test]
fn an_empty_configuration_is_the_default() {
    assert_eq!(from_value::<Config>(json!({})).unwrap(), Config::default());
    assert!(Config::default().check().is_ok());
}

#[test]
fn a_threshold_can_be_set_alone() {
    let config: Config = from_value(json!({"gate": {"min_improvement": 0.25}})).unwrap();
    assert_eq!(
        config.gate,
        Gate {
            min_improvement: 0.25,
            ..Gate::default()
        }
    );
    assert!(from_value::<Config>(json!({"gate": {"improvement": 1}})).is_err());
}

#[test]
fn bounds_are_held_and_named() {
    for (config, key) in [
        (json!({"resamples": 1}), "resamples"),
        (json!({"confidence": 1.0}), "confidence"),
        (json!({"leakage": {"ngram": 1}}), "leakage.ngram"),
        (
            json!({"memorisation": {"prompt_tokens": 0}}),
            "memorisation.prompt_tokens",
        ),
    ] {
        let error = from_value::<Config>(config).unwrap().check().unwrap_err();
        assert_eq!(error.code, "evaluate.config");
        assert!(error.message.contains(key), "{error}");
    }
}
