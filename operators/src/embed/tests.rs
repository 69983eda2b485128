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
        (json!({"batch_tokens": 1}), "`batch_tokens`"),
        (json!({"max_length": 0}), "`max_length`"),
    ] {
        let error = from_value::<Config>(config).unwrap().check().unwrap_err();
        assert_eq!(error.code, "embed.config");
        assert!(error.message.contains(key), "{error}");
    }
    assert!(from_value::<Config>(json!({"batch": 3})).is_err());
}

#[test]
fn the_ports_carry_chunks_in_and_vectors_out() {
    let info = info();
    assert!(info.inputs[0].columns.iter().any(|column| column.name == "text"));
    assert!(
        info.outputs[0]
            .columns
            .iter()
            .any(|column| column.name == "vector" && column.data_type == "Vector")
    );
}

#[test]
fn another_model_in_the_folder_is_another_identity() {
    let dir = tempfile::tempdir().unwrap();
    let config: Config = from_value(json!({"model": dir.path()})).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("config.json", b"{}");
    let mut weights = vec![7_u8; 300_000];
    write("model.safetensors", &weights);
    let first = salt(&config).unwrap();
    assert_eq!(salt(&config).unwrap(), first);
    write("README.md", b"words about it");
    assert_eq!(salt(&config).unwrap(), first, "words do not count");
    weights[299_999] = 8;
    write("model.safetensors", &weights);
    let second = salt(&config).unwrap();
    assert_ne!(second, first);
    write("config.json", b"{ }");
    assert_ne!(salt(&config).unwrap(), second);
    let absent = Config {
        model: Some("/nowhere/at/all".to_owned()),
        ..Config::default()
    };
    assert_eq!(salt(&absent), None);
}
