//! Making decoders: from a checkpoint, or of random weights; and taking their weights out again.

use tch::{Device, Kind, Tensor};

use super::{Architecture, Decoder, layer::Layer};
use crate::{
    ModelError,
    checkpoint::Checkpoint,
    nn::{Linear, norm::RmsNorm, rope::Rope},
};

const EMBEDDING: &str = "model.embed_tokens.weight";
const NORM: &str = "model.norm.weight";
const HEAD: &str = "lm_head";

/// Standard deviation that Llama's weights start with.
const SPREAD: f64 = 0.02;

pub fn load(
    architecture: Architecture,
    checkpoint: &Checkpoint,
    device: Device,
    kind: Kind,
) -> Result<Decoder, ModelError> {
    let mut source = |name: &str, shape: &[i64]| checkpoint.tensor(name, shape, device, kind);
    build(architecture, device, kind, &mut source)
}

pub fn random(architecture: Architecture, seed: u64, device: Device) -> Result<Decoder, ModelError> {
    architecture
        .check()
        .map_err(|why| ModelError::input(why, "Choose other sizes for the model."))?;
    tch::manual_seed(seed.cast_signed());
    let depth = (2.0 * architecture.layers as f64).sqrt();
    let mut source = |name: &str, shape: &[i64]| {
        let options = (Kind::Float, Device::Cpu);
        let weight = if shape.len() == 1 {
            if name.ends_with(".bias") {
                Tensor::f_zeros(shape, options)?
            } else {
                Tensor::f_ones(shape, options)?
            }
        } else {
            // Layers that write to the residual stream start smaller, or its size would grow with depth.
            let writes = name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight");
            let spread = if writes { SPREAD / depth } else { SPREAD };
            Tensor::f_randn(shape, options)?.f_mul_scalar(spread)?
        };
        Ok(weight.f_to_device(device)?)
    };
    build(architecture, device, Kind::Float, &mut source)
}

pub fn named_weights(decoder: &Decoder) -> Vec<(String, Tensor)> {
    let mut weights = vec![(EMBEDDING.to_owned(), decoder.embedding.shallow_clone())];
    for layer in &decoder.layers {
        let name = &layer.name;
        weights.push((
            format!("{name}.input_layernorm.weight"),
            layer.attention_norm.weight.shallow_clone(),
        ));
        weights.push((
            format!("{name}.post_attention_layernorm.weight"),
            layer.feed_norm.weight.shallow_clone(),
        ));
        layer
            .linears()
            .for_each(|linear| push_linear(&mut weights, linear));
    }
    weights.push((NORM.to_owned(), decoder.norm.weight.shallow_clone()));
    if let Some(head) = &decoder.head {
        push_linear(&mut weights, head);
    }
    weights
}

fn push_linear(weights: &mut Vec<(String, Tensor)>, linear: &Linear) {
    if let Some(weight) = linear.weight.as_dense() {
        weights.push((format!("{}.weight", linear.name), weight.shallow_clone()));
    }
    if let Some(bias) = &linear.bias {
        weights.push((format!("{}.bias", linear.name), bias.shallow_clone()));
    }
}

/// Where a weight of that name and shape comes from.
type Source<'a> = dyn FnMut(&str, &[i64]) -> Result<Tensor, ModelError> + 'a;

fn build(
    architecture: Architecture,
    device: Device,
    kind: Kind,
    source: &mut Source<'_>,
) -> Result<Decoder, ModelError> {
    let a = &architecture;
    let embedding = source(EMBEDDING, &[a.vocabulary, a.hidden])?;
    let layers = (0..a.layers)
        .map(|index| layer(a, index, source))
        .collect::<Result<Vec<_>, _>>()?;
    let norm = RmsNorm::new(source(NORM, &[a.hidden])?, a.norm_eps);
    let head = if a.tied {
        None
    } else {
        Some(linear(source, HEAD.to_owned(), (a.vocabulary, a.hidden), false)?)
    };
    let rope = Rope::new(a.head_dim, a.rope_theta, device)?;
    Ok(Decoder {
        device,
        kind,
        embedding,
        layers,
        norm,
        head,
        rope,
        architecture,
    })
}

fn layer(a: &Architecture, index: i64, source: &mut Source<'_>) -> Result<Layer, ModelError> {
    let name = format!("model.layers.{index}");
    let (wide, narrow) = (a.heads * a.head_dim, a.kv_heads * a.head_dim);
    let [qkv, out] = a.attention_bias;
    let attention = |part: &str| format!("{name}.self_attn.{part}_proj");
    let feed = |part: &str| format!("{name}.mlp.{part}_proj");
    let mut norm = |part: &str| {
        Ok::<_, ModelError>(RmsNorm::new(
            source(&format!("{name}.{part}.weight"), &[a.hidden])?,
            a.norm_eps,
        ))
    };
    let (attention_norm, feed_norm) = (norm("input_layernorm")?, norm("post_attention_layernorm")?);
    Ok(Layer {
        attention_norm,
        query: linear(source, attention("q"), (wide, a.hidden), qkv)?,
        key: linear(source, attention("k"), (narrow, a.hidden), qkv)?,
        value: linear(source, attention("v"), (narrow, a.hidden), qkv)?,
        output: linear(source, attention("o"), (a.hidden, wide), out)?,
        feed_norm,
        gate: linear(source, feed("gate"), (a.intermediate, a.hidden), a.mlp_bias)?,
        up: linear(source, feed("up"), (a.intermediate, a.hidden), a.mlp_bias)?,
        down: linear(source, feed("down"), (a.hidden, a.intermediate), a.mlp_bias)?,
        name,
    })
}

fn linear(
    source: &mut Source<'_>,
    name: String,
    (outputs, inputs): (i64, i64),
    bias: bool,
) -> Result<Linear, ModelError> {
    let weight = source(&format!("{name}.weight"), &[outputs, inputs])?;
    let bias = if bias {
        Some(source(&format!("{name}.bias"), &[outputs])?)
    } else {
        None
    };
    Ok(Linear::new(name, weight, bias))
}
