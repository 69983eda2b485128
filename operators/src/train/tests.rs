#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{from_value, json};

use super::*;

#[test]
fn the_method_alone_is_enough() {
    assert_eq!(
        from_value::<Config>(json!({"method": "lora"})).unwrap(),
        Config::of(Method::Lora)
    );
    assert_eq!(
        from_value::<Config>(json!({"method": "pretrain"})).unwrap(),
        Config::of(Method::Pretrain)
    );
    assert!(
        from_value::<Config>(json!({}))
            .unwrap_err()
            .to_string()
            .contains("method")
    );
    assert!(Config::of(Method::Lora).check().is_ok() && Config::of(Method::Pretrain).check().is_ok());
}

#[test]
fn a_misspelt_key_or_target_is_an_error() {
    assert!(from_value::<Config>(json!({"method": "lora", "lr": 1})).is_err());
    assert!(from_value::<Config>(json!({"method": "lora", "targets": "all"})).is_err());
}

#[test]
fn targets_are_all_linear_layers_or_those_of_any_names() {
    let config = |with: serde_json::Value| from_value::<Config>(with).unwrap();
    assert_eq!(Config::of(Method::Lora).targets, Targets::AllLinear);
    let all = config(json!({"method": "lora", "targets": "all-linear"}));
    assert_eq!(all, Config::of(Method::Lora));
    let named = config(json!({"method": "lora", "targets": ["c_attn", "mlp.c_proj"]}));
    assert_eq!(named.targets.names().unwrap(), ["c_attn", "mlp.c_proj"]);
    assert!(named.check().is_ok());
    assert_eq!(
        serde_json::to_value(&named).unwrap()["targets"],
        json!(["c_attn", "mlp.c_proj"])
    );
}

#[test]
fn bounds_are_held_and_named() {
    for (key, value) in [
        ("threads", json!(0)),
        ("context", json!(8)),
        ("steps", json!(0)),
        ("batch", json!(0)),
        ("accumulate", json!(0)),
        ("learning_rate", json!(2.0)),
        ("clip_norm", json!(-1.0)),
        ("rank", json!(0)),
        ("targets", json!([])),
        ("targets", json!([" "])),
    ] {
        let config: Config = from_value(json!({"method": "lora", key: value})).unwrap();
        let error = config.check().unwrap_err();
        assert_eq!(error.code, "train.config");
        assert!(error.message.contains(key), "{error}");
    }
}

#[test]
fn four_bits_and_preferences_go_with_every_adapter() {
    let config = |with: serde_json::Value| from_value::<Config>(with).unwrap();
    let facts = |with| {
        let config = config(with);
        config.check().map(|()| (config.packs(), config.prefers()))
    };
    assert_eq!(facts(json!({"method": "lora"})).unwrap(), (false, false));
    assert_eq!(facts(json!({"method": "qlora"})).unwrap(), (true, false));
    assert_eq!(facts(json!({"method": "dpo"})).unwrap(), (false, true));
    for both in [
        json!({"method": "qlora", "preference": true}),
        json!({"method": "dpo", "load_in_4bit": true}),
        json!({"method": "dora", "load_in_4bit": true, "preference": true}),
        json!({"method": "rslora", "load_in_4bit": true, "preference": true}),
    ] {
        assert_eq!(facts(both).unwrap(), (true, true));
    }
    let rate = |with| config(with).learning_rate(1000);
    assert!(
        (rate(json!({"method": "qlora", "preference": true})) - rate(json!({"method": "dpo"}))).abs() < 1e-12
    );
    for (key, with) in [
        ("load_in_4bit", json!({"method": "full", "load_in_4bit": true})),
        ("load_in_4bit", json!({"method": "qlora", "load_in_4bit": false})),
        ("preference", json!({"method": "pretrain", "preference": true})),
        ("preference", json!({"method": "dpo", "preference": false})),
    ] {
        let error = facts(with).unwrap_err();
        assert!(error.message.contains(key), "{error}");
    }
}

#[test]
fn steps_come_from_epochs_and_their_bound() {
    let config = |with: serde_json::Value| from_value::<Config>(with).unwrap();
    assert_eq!(
        config(json!({"method": "lora", "epochs": 2, "batch": 4})).steps(10),
        5
    );
    assert_eq!(
        config(json!({"method": "lora", "epochs": 2, "batch": 4, "max_steps": 3})).steps(1000),
        3
    );
    assert_eq!(
        config(json!({"method": "lora", "epochs": 1, "batch": 1, "max_steps": 0})).steps(1000),
        1000
    );
    assert_eq!(config(json!({"method": "lora", "steps": 7})).steps(1_000_000), 7);
    assert_eq!(Config::of(Method::Lora).steps(1), 1);
}

#[test]
fn alpha_is_twice_the_rank_unless_given() {
    assert!((Config::of(Method::Lora).alpha() - 32.0).abs() < 1e-9);
    assert!(
        (from_value::<Config>(json!({"method": "lora", "alpha": 3}))
            .unwrap()
            .alpha()
            - 3.0)
            .abs()
            < 1e-9
    );
}

#[test]
fn other_files_in_the_base_s_folder_are_another_result() {
    let dir = tempfile::tempdir().unwrap();
    let config: Config = from_value(json!({"method": "lora", "base_path": dir.path()})).unwrap();
    std::fs::write(dir.path().join("config.json"), "{}").unwrap();
    let first = salt(&config);
    std::fs::write(dir.path().join("config.json"), "{ }").unwrap();
    assert!(first.is_some() && salt(&config) != first);
    assert_eq!(salt(&Config::of(Method::Lora)), None);
}
