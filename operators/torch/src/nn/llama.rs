//! The Llama family: what its config.json says, as an [`Architecture`].

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::decoder::Architecture;
use crate::ModelError;

/// `model_type` values that this file knows.
pub const MODEL_TYPES: [&str; 1] = ["llama"];

#[derive(Deserialize)]
struct LlamaConfig {
    vocab_size: i64,
    hidden_size: i64,
    intermediate_size: i64,
    num_hidden_layers: i64,
    num_attention_heads: i64,
    num_key_value_heads: Option<i64>,
    head_dim: Option<i64>,
    #[serde(default = "default_positions")]
    max_position_embeddings: i64,
    #[serde(default = "default_eps")]
    rms_norm_eps: f64,
    rope_theta: Option<f64>,
    rope_scaling: Option<Value>,
    rope_parameters: Option<Value>,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default = "default_act")]
    hidden_act: String,
}

fn default_positions() -> i64 {
    2048
}
fn default_eps() -> f64 {
    1e-6
}
fn default_act() -> String {
    "silu".to_owned()
}

/// Reads the family's config.json; `path` is for messages.
pub fn architecture(config: &Value, path: &Path) -> Result<Architecture, ModelError> {
    let wrong = |why: String, hint: &str| ModelError::Config {
        path: path.to_owned(),
        why,
        hint: hint.to_owned(),
    };
    let config: LlamaConfig = serde_json::from_value(config.clone()).map_err(|error| {
        wrong(
            error.to_string(),
            "Compare it with the config.json that the model was published with.",
        )
    })?;
    if config.hidden_act != "silu" {
        return Err(wrong(
            format!("hidden_act is `{}`", config.hidden_act),
            "A Llama model has silu.",
        ));
    }
    let heads = config.num_attention_heads;
    let parameters = config.rope_parameters.as_ref().or(config.rope_scaling.as_ref());
    let rope_type = parameters
        .and_then(|p| p.get("rope_type").or_else(|| p.get("type")))
        .and_then(Value::as_str);
    if let Some(other) = rope_type.filter(|kind| *kind != "default") {
        return Err(wrong(
            format!("the RoPE scaling `{other}` is not known"),
            "Use a model without RoPE scaling.",
        ));
    }
    let theta = parameters
        .and_then(|p| p.get("rope_theta"))
        .and_then(Value::as_f64)
        .or(config.rope_theta);
    let architecture = Architecture {
        vocabulary: config.vocab_size,
        hidden: config.hidden_size,
        intermediate: config.intermediate_size,
        layers: config.num_hidden_layers,
        heads,
        kv_heads: config.num_key_value_heads.unwrap_or(heads),
        head_dim: config
            .head_dim
            .unwrap_or_else(|| config.hidden_size.checked_div(heads).unwrap_or(0)),
        max_positions: config.max_position_embeddings,
        norm_eps: config.rms_norm_eps,
        rope_theta: theta.unwrap_or(10_000.0),
        tied: config.tie_word_embeddings,
        attention_bias: [config.attention_bias; 2],
        mlp_bias: config.mlp_bias,
    };
    architecture.check().map_err(|why| {
        wrong(
            why,
            "Compare it with the config.json that the model was published with.",
        )
    })?;
    Ok(architecture)
}
