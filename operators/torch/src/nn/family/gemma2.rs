//! Gemma 2: scores and logits are capped, every other layer looks through a window, norms stand before and after, their
//! weights count from one, embeddings are scaled, the gate is a GELU.

use serde_json::Value;

use super::{Family, fields::Fields};
use crate::nn::architecture::{Activation, Architecture, Names, NormKind};

pub const FAMILY: Family = Family {
    model_type: "gemma2",
    read,
};

static NAMES: Names = Names {
    attention_post_norm: "post_attention_layernorm",
    feed_norm: "pre_feedforward_layernorm",
    feed_post_norm: "post_feedforward_layernorm",
    ..super::llama::PLAIN_NAMES
};

fn read(config: &Value) -> Result<Architecture, String> {
    if config.get("use_bidirectional_attention").and_then(Value::as_bool) == Some(true) {
        return Err("use_bidirectional_attention is set, the model does not write texts".to_owned());
    }
    let mut fields = Fields::read(config)?;
    fields.head_dim.get_or_insert(256);
    fields.tie_word_embeddings.get_or_insert(true);
    fields
        .hidden_activation
        .get_or_insert_with(|| "gelu_pytorch_tanh".to_owned());
    let number = |name: &str, default| match config.get(name) {
        None => Some(default),
        Some(value) => value.as_f64(),
    };
    let architecture = fields.architecture(8192)?;
    let window = config.get("sliding_window").map_or(Some(4096), Value::as_i64);
    let windowed = |layer: i64| layer % 2 == 0;
    Ok(Architecture {
        attention_bias: [fields.attention_bias.unwrap_or(false); 2],
        norm: NormKind::RmsPlusOne,
        activation: match fields.hidden_activation.as_deref() {
            Some("gelu_pytorch_tanh") => Activation::GeluTanh,
            other => return Err(format!("hidden_activation is {other:?}")),
        },
        post_norms: true,
        windows: fields.windows(architecture.layers, window, windowed)?,
        attention_scale: number("query_pre_attn_scalar", 256.0).map(|scalar| scalar.powf(-0.5)),
        attention_softcap: number("attn_logit_softcapping", 50.0),
        logit_softcap: number("final_logit_softcapping", 30.0),
        scaled_embedding: true,
        names: &NAMES,
        ..architecture
    })
}
