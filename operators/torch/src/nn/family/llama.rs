//! Llama: the plain form that others differ from.

use serde_json::Value;

use super::{Family, fields::Fields};
use crate::nn::architecture::{Architecture, Names, QkvNames};

pub const FAMILY: Family = Family {
    model_type: "llama",
    read,
};

/// For families that change some.
pub const PLAIN_NAMES: Names = Names {
    prefix: "model.",
    embedding: "model.embed_tokens",
    positions: "",
    layers: "model.layers",
    norm: "model.norm",
    head: "lm_head",
    attention_norm: "input_layernorm",
    qkv: QkvNames::Apart(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
    query_key_norms: ["self_attn.q_norm", "self_attn.k_norm"],
    output: "self_attn.o_proj",
    attention_post_norm: "",
    feed_norm: "post_attention_layernorm",
    gate: Some("mlp.gate_proj"),
    up: "mlp.up_proj",
    down: "mlp.down_proj",
    feed_post_norm: "",
    transposed: false,
};

pub static NAMES: Names = PLAIN_NAMES;

fn read(config: &Value) -> Result<Architecture, String> {
    let fields = Fields::read(config)?;
    Ok(Architecture {
        attention_bias: [fields.attention_bias.unwrap_or(false); 2],
        mlp_bias: fields.mlp_bias.unwrap_or(false),
        ..fields.architecture(2048)?
    })
}
