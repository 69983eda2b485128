//! Decoder families. Each file states how its models differ from Llama's.

mod fields;
mod gemma2;
mod gpt2;
mod llama;
mod mistral;
mod qwen2;
mod qwen3;

use std::path::Path;

use serde_json::Value;

use super::Architecture;
use crate::ModelError;

pub use llama::NAMES as LLAMA_NAMES;

/// A family: the `model_type` of its config.json, and how that is read.
struct Family {
    model_type: &'static str,
    read: fn(&Value) -> Result<Architecture, String>,
}

const FAMILIES: [Family; 6] = [
    gemma2::FAMILY,
    gpt2::FAMILY,
    llama::FAMILY,
    mistral::FAMILY,
    qwen2::FAMILY,
    qwen3::FAMILY,
];

/// Reads a config.json by its `model_type`; `path` is for messages.
pub fn read(config: &Value, path: &Path) -> Result<Architecture, ModelError> {
    let model_type = config
        .get("model_type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let wrong = |why: String, hint: String| ModelError::Config {
        path: path.to_owned(),
        why,
        hint,
    };
    let Some(family) = FAMILIES.iter().find(|family| family.model_type == model_type) else {
        let known = FAMILIES.map(|family| family.model_type).join(", ");
        return Err(wrong(
            format!("there is no decoder for model_type `{model_type}`"),
            format!("Known: {known}."),
        ));
    };
    let checked = |architecture: Architecture| architecture.check().map(|()| architecture);
    (family.read)(config).and_then(checked).map_err(|why| {
        let hint = "Compare it with the config.json that the model was published with.";
        wrong(why, hint.to_owned())
    })
}
