//! GPT-2: learned positions, norms with mean and bias, one layer for query, key and value, matrices stored as
//! `[in, out]`, a feed-forward net without a gate.

use serde::Deserialize;
use serde_json::Value;

use super::Family;
use crate::nn::architecture::{Activation, Architecture, Names, NormKind, Positions, QkvNames};

pub const FAMILY: Family = Family {
    model_type: "gpt2",
    read,
};

static NAMES: Names = Names {
    prefix: "transformer.",
    embedding: "transformer.wte",
    positions: "transformer.wpe",
    layers: "transformer.h",
    norm: "transformer.ln_f",
    head: "lm_head",
    attention_norm: "ln_1",
    qkv: QkvNames::Fused("attn.c_attn"),
    query_key_norms: [""; 2],
    output: "attn.c_proj",
    attention_post_norm: "",
    feed_norm: "ln_2",
    gate: None,
    up: "mlp.c_fc",
    down: "mlp.c_proj",
    feed_post_norm: "",
    transposed: true,
};

#[derive(Deserialize)]
#[serde(default)]
struct Gpt2Config {
    vocab_size: i64,
    n_positions: i64,
    n_embd: i64,
    n_layer: i64,
    n_head: i64,
    n_inner: Option<i64>,
    activation_function: String,
    layer_norm_epsilon: f64,
    scale_attn_weights: bool,
    scale_attn_by_inverse_layer_idx: bool,
    add_cross_attention: bool,
    tie_word_embeddings: bool,
}

impl Default for Gpt2Config {
    fn default() -> Self {
        Self {
            vocab_size: 50_257,
            n_positions: 1024,
            n_embd: 768,
            n_layer: 12,
            n_head: 12,
            n_inner: None,
            activation_function: "gelu_new".to_owned(),
            layer_norm_epsilon: 1e-5,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            add_cross_attention: false,
            tie_word_embeddings: true,
        }
    }
}

fn read(config: &Value) -> Result<Architecture, String> {
    let config: Gpt2Config = serde_json::from_value(config.clone()).map_err(|error| error.to_string())?;
    if config.add_cross_attention {
        return Err("add_cross_attention is set, the model is half of a pair".to_owned());
    }
    if config.n_head < 1 || config.n_embd % config.n_head != 0 {
        return Err(format!(
            "{} values cannot be split over {} heads",
            config.n_embd, config.n_head
        ));
    }
    Ok(Architecture {
        vocabulary: config.vocab_size,
        hidden: config.n_embd,
        intermediate: config.n_inner.unwrap_or(config.n_embd.saturating_mul(4)),
        layers: config.n_layer,
        heads: config.n_head,
        kv_heads: config.n_head,
        head_dim: config.n_embd / config.n_head,
        max_positions: config.n_positions,
        norm_eps: config.layer_norm_epsilon,
        tied: config.tie_word_embeddings,
        attention_bias: [true; 2],
        mlp_bias: true,
        positions: Positions::Learned,
        norm: NormKind::Layer,
        activation: match config.activation_function.as_str() {
            "gelu_new" | "gelu_pytorch_tanh" => Activation::GeluTanh,
            "gelu" => Activation::Gelu,
            "silu" => Activation::Silu,
            other => return Err(format!("activation_function is `{other}`")),
        },
        attention_scale: (!config.scale_attn_weights).then_some(1.0),
        scale_by_layer: config.scale_attn_by_inverse_layer_idx,
        names: &NAMES,
        ..Architecture::default()
    })
}
