//! A decoder's weights, packed for the CPU kernels.

use std::collections::HashMap;

use tch::Tensor;
use twinloom_kernels::{
    self as kernels, Activation as Function, Block, Feed, Format, Linear, Low, Norm, Packed,
    Positions as Places, Spec, Target,
};

use crate::{
    ModelError,
    nn::{
        Adapter, Architecture, Decoder, RopeScaling,
        architecture::{Activation, NormKind, Positions, QkvNames},
        frequencies,
        packing::{broken, matrix, values},
    },
};

/// Packs a decoder. With 4-bit weights the embedding and the head are 8-bit: they cost little and matter most.
///
/// # Errors
/// `model.config` for a decoder that there are no kernels for, or what libtorch says.
pub fn pack(decoder: &Decoder, format: Format) -> Result<kernels::Decoder, ModelError> {
    let a = decoder.architecture();
    if let Some(why) = unsuited(a) {
        return Err(ModelError::input(
            why,
            "Run the model on libtorch: `--backend libtorch`.",
        ));
    }
    let packer = Packer {
        a,
        weights: decoder.named_weights().into_iter().collect(),
        format,
    };
    let outer = match format {
        Format::Int4 { group } => Format::Int8 { group },
        other => other,
    };
    let embedding = format!("{}.weight", a.names.embedding);
    let head = if a.tied {
        embedding.clone()
    } else {
        format!("{}.weight", a.names.head)
    };
    let packed = kernels::Decoder {
        spec: spec(a, &packer)?,
        embedding: if a.tied {
            None
        } else {
            Some(packer.matrix(&[&embedding], outer)?)
        },
        blocks: (0..a.layers)
            .map(|index| packer.block(index))
            .collect::<Result<_, _>>()?,
        norm: packer.norm(a.names.norm)?,
        head: Linear {
            weight: packer.matrix(&[&head], outer)?,
            bias: None,
        },
    };
    packed.check().map_err(broken)?;
    Ok(packed)
}

/// Why there are no kernels for a decoder; `None` where there are.
#[must_use]
pub fn unsuited(a: &Architecture) -> Option<String> {
    let dynamic = matches!(a.rope_scaling, RopeScaling::Dynamic { .. });
    dynamic.then(|| "the model's rotation grows with the text, which the CPU kernels do not do".to_owned())
}

/// An adapter's parts as the kernels take them, for a packed decoder.
///
/// # Errors
/// `model.input` when it is another model's, or what libtorch says.
pub fn pack_adapter(
    a: &Architecture,
    decoder: &kernels::Decoder,
    adapter: &Adapter,
) -> Result<kernels::Adapter, ModelError> {
    let mut unused = adapter.names();
    let mut packed = kernels::Adapter::default();
    for (index, block) in decoder.blocks.iter().enumerate() {
        let mut lows = Vec::new();
        for (target, part, (outputs, inputs)) in targets(a) {
            let name = format!("{}.{index}.{part}", a.names.layers);
            let Some(low) = adapter.low(&name) else { continue };
            let rank = low.a.size2()?.0;
            let magnitude = low.magnitude.as_ref().map(values).transpose()?;
            let whole = magnitude.as_ref().is_none_or(|all| all.len() as i64 == outputs);
            if low.a.size() != [rank, inputs] || low.b.size() != [outputs, rank] || !whole {
                return Err(foreign(&name));
            }
            let mut part = Low {
                a: values(&low.a)?,
                b: values(&low.b.f_mul_scalar(low.scale)?)?,
                rank: usize::try_from(rank).unwrap_or_default(),
                share: None,
            };
            part.share = magnitude.map(|magnitude| shares(a, block, target, &part, &magnitude));
            lows.push((target, part));
            unused.remove(name.as_str());
        }
        packed.blocks.push(lows);
    }
    match unused.first() {
        None => Ok(packed),
        Some(name) => Err(foreign(name)),
    }
}

/// DoRA: the wanted norm of each row of `W + B A` over the one that it has.
fn shares(a: &Architecture, block: &Block, target: Target, low: &Low, magnitude: &[f32]) -> Vec<f32> {
    let size = |value: i64| usize::try_from(value).unwrap_or_default();
    let (wide, narrow) = (size(a.heads * a.head_dim), size(a.kv_heads * a.head_dim));
    let (linear, offset) = match target {
        Target::Query => (&block.qkv, 0),
        Target::Key => (&block.qkv, wide),
        Target::Value => (&block.qkv, wide + narrow),
        Target::Output => (&block.output, 0),
        Target::Up if block.feed.gated => (&block.feed.up, size(a.intermediate)),
        Target::Gate | Target::Up => (&block.feed.up, 0),
        Target::Down => (&block.feed.down, 0),
    };
    let inputs = linear.weight.inputs();
    let mut row = vec![0.0_f32; inputs];
    let share = |(output, (magnitude, b)): (usize, (&f32, &[f32]))| {
        linear.weight.row(offset + output, &mut row);
        for (b, a) in b.iter().zip(low.a.chunks_exact(inputs)) {
            row.iter_mut().zip(a).for_each(|(row, a)| *row += b * a);
        }
        let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        magnitude / norm.max(1e-6)
    };
    let rows = magnitude.iter().zip(low.b.chunks_exact(low.rank.max(1)));
    rows.enumerate().map(share).collect()
}

/// The layers of a block that an adapter may sit on, with outputs and inputs. One layer for query, key and value counts as
/// the query, whose place its outputs start at.
fn targets(a: &Architecture) -> Vec<(Target, &'static str, (i64, i64))> {
    let (wide, narrow) = (a.heads * a.head_dim, a.kv_heads * a.head_dim);
    let mut found = match a.names.qkv {
        QkvNames::Apart([q, k, v]) => vec![
            (Target::Query, q, (wide, a.hidden)),
            (Target::Key, k, (narrow, a.hidden)),
            (Target::Value, v, (narrow, a.hidden)),
        ],
        QkvNames::Fused(all) => vec![(Target::Query, all, (wide + 2 * narrow, a.hidden))],
    };
    found.extend(
        a.names
            .gate
            .map(|gate| (Target::Gate, gate, (a.intermediate, a.hidden))),
    );
    found.extend([
        (Target::Output, a.names.output, (a.hidden, wide)),
        (Target::Up, a.names.up, (a.intermediate, a.hidden)),
        (Target::Down, a.names.down, (a.hidden, a.intermediate)),
    ]);
    found
}

struct Packer<'a> {
    a: &'a Architecture,
    weights: HashMap<String, Tensor>,
    format: Format,
}

impl Packer<'_> {
    fn block(&self, index: i64) -> Result<Block, ModelError> {
        let (a, names) = (self.a, self.a.names);
        let named = |part: &str| format!("{}.{index}.{part}", names.layers);
        let qkv = match names.qkv {
            QkvNames::Apart(parts) => parts.map(named).to_vec(),
            QkvNames::Fused(all) => vec![named(all)],
        };
        let up: Vec<String> = names.gate.into_iter().chain([names.up]).map(named).collect();
        let post = |part: &str| a.post_norms.then(|| self.norm(&named(part))).transpose();
        let head_norms = if a.query_key_norm {
            let [q, k] = names.query_key_norms.map(|part| self.norm(&named(part)));
            Some((q?, k?))
        } else {
            None
        };
        let window = a.window(index).and_then(|window| usize::try_from(window).ok());
        Ok(Block {
            attention_norm: self.norm(&named(names.attention_norm))?,
            qkv: self.linear(&qkv)?,
            head_norms,
            output: self.linear(&[named(names.output)])?,
            attention_out_norm: post(names.attention_post_norm)?,
            feed_norm: self.norm(&named(names.feed_norm))?,
            feed: Feed {
                up: self.linear(&up)?,
                gated: names.gate.is_some(),
                activation: match a.activation {
                    Activation::Silu => Function::Silu,
                    Activation::Gelu => Function::Gelu,
                    Activation::GeluTanh => Function::GeluTanh,
                },
                down: self.linear(&[named(names.down)])?,
            },
            feed_out_norm: post(names.feed_post_norm)?,
            window,
            query_scale: a.scale(index) as f32,
        })
    }

    fn tensor(&self, name: &str) -> Result<&Tensor, ModelError> {
        self.weights.get(name).ok_or_else(|| {
            ModelError::input(
                format!("`{name}` is not held dense"),
                "Load the model without quantisation.",
            )
        })
    }

    fn norm(&self, name: &str) -> Result<Norm, ModelError> {
        let weight = values(self.tensor(&format!("{name}.weight"))?)?;
        let eps = self.a.norm_eps as f32;
        Ok(match self.a.norm {
            NormKind::Rms => Norm::Rms { weight, eps },
            NormKind::RmsPlusOne => Norm::Rms {
                weight: weight.into_iter().map(|value| value + 1.0).collect(),
                eps,
            },
            NormKind::Layer => Norm::Layer {
                weight,
                bias: values(self.tensor(&format!("{name}.bias"))?)?,
                eps,
            },
        })
    }

    /// Layers laid end to end.
    fn linear(&self, names: &[String]) -> Result<Linear, ModelError> {
        let weights: Vec<String> = names.iter().map(|name| format!("{name}.weight")).collect();
        let weights: Vec<&str> = weights.iter().map(String::as_str).collect();
        let biases = names.iter().map(|name| self.weights.get(&format!("{name}.bias")));
        let biases: Option<Vec<&Tensor>> = biases.collect();
        let bias = biases
            .map(|biases| {
                let parts = biases.into_iter().map(values).collect::<Result<Vec<_>, _>>()?;
                Ok::<_, ModelError>(parts.concat())
            })
            .transpose()?;
        Ok(Linear {
            weight: self.matrix(&weights, self.format)?,
            bias,
        })
    }

    fn matrix(&self, names: &[&str], format: Format) -> Result<Packed, ModelError> {
        let tensors = names
            .iter()
            .map(|name| self.tensor(name))
            .collect::<Result<Vec<_>, _>>()?;
        matrix(&tensors, format)
    }
}

fn spec(a: &Architecture, packer: &Packer<'_>) -> Result<Spec, ModelError> {
    let size = |value: i64| usize::try_from(value).unwrap_or_default();
    Ok(Spec {
        hidden: size(a.hidden),
        heads: size(a.heads),
        kv_heads: size(a.kv_heads),
        head_dim: size(a.head_dim),
        embed_scale: if a.scaled_embedding {
            (a.hidden as f64).sqrt() as f32
        } else {
            1.0
        },
        score_cap: a.attention_softcap.map(|cap| cap as f32),
        logit_cap: a.logit_softcap.map(|cap| cap as f32),
        positions: match a.positions {
            Positions::Rotary => Places::Rotary {
                frequencies: frequencies(a)?,
                scale: a.rope_scaling.attention_factor() as f32,
            },
            Positions::Learned => {
                Places::Learned(values(packer.tensor(&format!("{}.weight", a.names.positions))?)?)
            }
        },
    })
}

fn foreign(name: &str) -> ModelError {
    ModelError::input(
        format!("the adapter's factors for `{name}` do not fit the model"),
        "Use the adapter with the base model that it was trained on.",
    )
}
