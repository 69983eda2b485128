//! Other names of keys: in the schema, and (by serde's `alias`, which takes a literal alone) in what is read.

use schemars::Schema;
use serde_json::Value;

/// What PEFT, TRL and transformers call some of the keys; each is taken as the key is.
const ALIASES: [(&str, &str); 8] = [
    ("gradient_accumulation_steps", "accumulate"),
    ("max_grad_norm", "clip_norm"),
    ("warmup_ratio", "warmup"),
    ("max_length", "context"),
    ("batch_size", "batch"),
    ("num_train_epochs", "epochs"),
    ("lora_alpha", "alpha"),
    ("target_modules", "targets"),
];

/// The schema takes what the configuration does.
pub(super) fn add_aliases(schema: &mut Schema) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for (alias, key) in ALIASES {
        let Some(mut own) = properties.get(key).cloned() else {
            continue;
        };
        if let Some(own) = own.as_object_mut() {
            own.remove("default");
            own.insert(
                "description".to_owned(),
                format!("Another name of `{key}`.").into(),
            );
        }
        properties.insert(alias.to_owned(), own);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use schemars::schema_for;
    use serde_json::{from_value, json};

    use super::*;
    use crate::train::Config;

    #[test]
    fn keys_go_by_the_names_that_other_tools_have_for_them_too() {
        let config = |with: Value| from_value::<Config>(with).unwrap();
        let schema = serde_json::to_value(schema_for!(Config)).unwrap();
        let readme = include_str!("../README.md");
        let unchanged = config(json!({"method": "lora"}));
        for (alias, key) in ALIASES {
            let sample = match key {
                "targets" => json!(["q_proj"]),
                _ => json!(3),
            };
            let ours = config(json!({"method": "lora", key: sample}));
            assert_ne!(ours, unchanged, "{key}");
            assert_eq!(config(json!({"method": "lora", alias: sample})), ours, "{alias}");
            let both = from_value::<Config>(json!({"method": "lora", alias: sample, key: sample}));
            assert!(both.unwrap_err().to_string().contains("duplicate"), "{alias}");
            let bounds = |key: &str| schema["properties"][key].get("maximum").cloned();
            assert!(schema["properties"].get(alias).is_some(), "{alias}");
            assert_eq!(bounds(alias), bounds(key), "{alias}");
            assert!(readme.contains(&format!("`{alias}` is `{key}`")), "{alias}");
        }
    }
}
