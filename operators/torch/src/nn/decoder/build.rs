//! Making decoders: from a checkpoint, or of random weights; and taking their weights out again.

use tch::{Device, Kind, Tensor};

use super::{
    Architecture, Decoder,
    attention::Scores,
    layer::{Heads, Layer, Qkv, QkvLinears},
};
use crate::{
    ModelError,
    checkpoint::Checkpoint,
    nn::{
        Linear,
        architecture::{Names, NormKind, Positions, QkvNames},
        norm::Norm,
        rope::Rope,
        weight::Bits,
    },
    seeded::seeded,
};

/// Standard deviation that weights start with.
const SPREAD: f64 = 0.02;

/// With `packing`, matrices of layers are packed as they are read: there is one dense one at a time.
pub fn load(
    architecture: Architecture,
    checkpoint: &Checkpoint,
    device: Device,
    kind: Kind,
    packing: Option<Packing>,
) -> Result<Decoder, ModelError> {
    let Names {
        prefix, embedding, ..
    } = *architecture.names;
    // A checkpoint of the model without its output layer leaves the prefix out.
    let bare = !checkpoint.has(&format!("{embedding}.weight"))
        && checkpoint.has(&format!("{}.weight", without(embedding, prefix)));
    let own = |name: &str| if bare { without(name, prefix) } else { name }.to_owned();
    let mut source = |name: &str, shape: &[i64]| checkpoint.tensor(&own(name), shape, device, kind);
    let release = |name: &str| checkpoint.release(&own(name));
    let packing = packing.map(|packing| (packing, &release as &dyn Fn(&str) -> Result<(), ModelError>));
    build(architecture, device, kind, &mut source, packing)
}

pub fn random(
    architecture: Architecture,
    seed: u64,
    device: Device,
    kind: Kind,
) -> Result<Decoder, ModelError> {
    architecture
        .check()
        .map_err(|why| ModelError::input(why, "Choose other sizes for the model."))?;
    let depth = (2.0 * architecture.layers as f64).sqrt();
    let Names { output, down, .. } = *architecture.names;
    // These count from one.
    let norms_from_zero = architecture.norm == NormKind::RmsPlusOne;
    let mut source = |name: &str, shape: &[i64]| {
        let options = (Kind::Float, Device::Cpu);
        let weight = if shape.len() == 1 {
            if norms_from_zero || name.ends_with(".bias") {
                Tensor::f_zeros(shape, options)?
            } else {
                Tensor::f_ones(shape, options)?
            }
        } else {
            // Layers that write to the residual stream start smaller, or its size would grow with depth.
            let layer = without_suffix(name, ".weight");
            let writes = layer.ends_with(output) || layer.ends_with(down);
            let spread = if writes { SPREAD / depth } else { SPREAD };
            Tensor::f_randn(shape, options)?.f_mul_scalar(spread)?
        };
        Ok(weight.f_to_device(device)?.f_to_kind(kind)?)
    };
    seeded(seed, || build(architecture, device, kind, &mut source, None))
}

/// All weights that are held dense, matrices as `[out, in]`.
pub fn named_weights(decoder: &Decoder) -> Vec<(String, Tensor)> {
    let names = decoder.architecture.names;
    let mut weights = Vec::new();
    let mut push = |name: &str, part: &str, tensor: Option<&Tensor>| {
        weights.extend(tensor.map(|tensor| (format!("{name}.{part}"), tensor.shallow_clone())));
    };
    push(names.embedding, "weight", Some(&decoder.embedding));
    push(names.positions, "weight", decoder.positions.as_ref());
    for layer in &decoder.layers {
        for norm in layer.norms() {
            push(&norm.name, "weight", Some(&norm.weight));
            push(&norm.name, "bias", norm.bias.as_ref());
        }
        for linear in layer.linears() {
            push(&linear.name, "weight", linear.weight.as_dense());
            push(&linear.name, "bias", linear.bias.as_ref());
        }
    }
    push(&decoder.norm.name, "weight", Some(&decoder.norm.weight));
    push(&decoder.norm.name, "bias", decoder.norm.bias.as_ref());
    if let Some(head) = &decoder.head {
        push(&head.name, "weight", head.weight.as_dense());
    }
    weights
}

/// All weights as a checkpoint holds them.
pub fn checkpoint_weights(decoder: &Decoder) -> Vec<(String, Tensor)> {
    let names = decoder.architecture.names;
    let turned =
        |name: &str, tensor: &Tensor| names.transposed && tensor.dim() == 2 && name.starts_with(names.layers);
    let mut weights = named_weights(decoder);
    for (name, tensor) in &mut weights {
        if turned(name, tensor) {
            *tensor = tensor.tr();
        }
    }
    weights
}

/// Where a weight of that name and shape comes from.
type Source<'a> = dyn FnMut(&str, &[i64]) -> Result<Tensor, ModelError> + 'a;

/// How matrices are packed.
#[derive(Debug, Clone, Copy)]
pub struct Packing {
    pub bits: Bits,
    pub double: bool,
}

/// How matrices are packed, and what is told of a weight that is not needed dense any more.
type Packed<'a> = Option<(Packing, &'a dyn Fn(&str) -> Result<(), ModelError>)>;

fn build(
    architecture: Architecture,
    device: Device,
    kind: Kind,
    source: &mut Source<'_>,
    packed: Packed<'_>,
) -> Result<Decoder, ModelError> {
    let a = &architecture;
    let names = a.names;
    let embedding = source(&format!("{}.weight", names.embedding), &[a.vocabulary, a.hidden])?;
    let learned = a.positions == Positions::Learned;
    let positions = learned
        .then(|| {
            source(
                &format!("{}.weight", names.positions),
                &[a.max_positions, a.hidden],
            )
        })
        .transpose()?;
    let layers = (0..a.layers)
        .map(|index| {
            Builder {
                a,
                index,
                source: &mut *source,
                packed,
            }
            .layer()
        })
        .collect::<Result<Vec<_>, _>>()?;
    let norm = norm(a, source, names.norm.to_owned(), a.hidden)?;
    let head = if a.tied {
        None
    } else {
        let weight = source(&format!("{}.weight", names.head), &[a.vocabulary, a.hidden])?;
        Some(Linear::new(names.head.to_owned(), weight, None))
    };
    // Rounded to the model's type, as the reference has it.
    let embedding_scale = a
        .scaled_embedding
        .then(|| {
            Tensor::f_from_slice(&[(a.hidden as f64).sqrt() as f32])?
                .f_to_device(device)?
                .f_to_kind(kind)
        })
        .transpose()?;
    let rope = (!learned).then(|| Rope::new(a, device)).transpose()?;
    Ok(Decoder {
        device,
        kind,
        embedding,
        embedding_scale,
        positions,
        layers,
        norm,
        head,
        rope,
        architecture,
    })
}

/// Makes one layer.
struct Builder<'a, 'b> {
    a: &'a Architecture,
    index: i64,
    source: &'a mut Source<'b>,
    packed: Packed<'a>,
}

impl Builder<'_, '_> {
    fn layer(mut self) -> Result<Layer, ModelError> {
        let a = self.a;
        let names = a.names;
        let (wide, narrow) = (a.heads * a.head_dim, a.kv_heads * a.head_dim);
        let [qkv, out] = a.attention_bias;
        let attention_norm = self.norm(names.attention_norm)?;
        let feed_norm = self.norm(names.feed_norm)?;
        let linears = match names.qkv {
            QkvNames::Apart([q, k, v]) => QkvLinears::Apart(Box::new([
                self.linear(q, (wide, a.hidden), qkv)?,
                self.linear(k, (narrow, a.hidden), qkv)?,
                self.linear(v, (narrow, a.hidden), qkv)?,
            ])),
            QkvNames::Fused(all) => {
                QkvLinears::Fused([self.linear(all, (wide + 2 * narrow, a.hidden), qkv)?])
            }
        };
        let norms = if a.query_key_norm {
            let [q, k] = names.query_key_norms.map(|part| self.named(part));
            Some([
                norm(a, self.source, q, a.head_dim)?,
                norm(a, self.source, k, a.head_dim)?,
            ])
        } else {
            None
        };
        let mut post = |part| a.post_norms.then(|| self.norm(part)).transpose();
        let (attention_post_norm, feed_post_norm) =
            (post(names.attention_post_norm)?, post(names.feed_post_norm)?);
        let gate = names
            .gate
            .map(|gate| self.linear(gate, (a.intermediate, a.hidden), a.mlp_bias))
            .transpose()?;
        Ok(Layer {
            index: usize::try_from(self.index).unwrap_or_default(),
            attention_norm,
            qkv: Qkv { linears, norms },
            output: self.linear(names.output, (a.hidden, wide), out)?,
            attention_post_norm,
            feed_norm,
            gate,
            up: self.linear(names.up, (a.intermediate, a.hidden), a.mlp_bias)?,
            down: self.linear(names.down, (a.hidden, a.intermediate), a.mlp_bias)?,
            feed_post_norm,
            activation: a.activation,
            heads: Heads {
                query: a.heads,
                key: a.kv_heads,
                dim: a.head_dim,
            },
            window: a.window(self.index),
            scores: Scores {
                scale: a.scale(self.index),
                softcap: a.attention_softcap,
            },
        })
    }

    fn named(&self, part: &str) -> String {
        format!("{}.{}.{part}", self.a.names.layers, self.index)
    }

    fn norm(&mut self, part: &str) -> Result<Norm, ModelError> {
        let name = self.named(part);
        norm(self.a, self.source, name, self.a.hidden)
    }

    fn linear(
        &mut self,
        part: &str,
        (outputs, inputs): (i64, i64),
        bias: bool,
    ) -> Result<Linear, ModelError> {
        let name = self.named(part);
        let stored = format!("{name}.weight");
        let weight = if self.a.names.transposed {
            // A view: the product takes it as it is.
            (self.source)(&stored, &[inputs, outputs])?.f_transpose(0, 1)?
        } else {
            (self.source)(&stored, &[outputs, inputs])?
        };
        let bias = bias
            .then(|| (self.source)(&format!("{name}.bias"), &[outputs]))
            .transpose()?;
        let mut linear = Linear::new(name, weight, bias);
        if let Some((Packing { bits, double }, release)) = self.packed {
            linear.weight.pack(bits, double)?;
            if linear.weight.as_dense().is_none() {
                release(&stored)?;
            }
        }
        Ok(linear)
    }
}

fn norm(a: &Architecture, source: &mut Source<'_>, name: String, size: i64) -> Result<Norm, ModelError> {
    let weight = source(&format!("{name}.weight"), &[size])?;
    let bias = (a.norm == NormKind::Layer)
        .then(|| source(&format!("{name}.bias"), &[size]))
        .transpose()?;
    Ok(Norm {
        name,
        weight,
        bias,
        kind: a.norm,
        eps: a.norm_eps,
    })
}

fn without<'a>(name: &'a str, prefix: &str) -> &'a str {
    name.strip_prefix(prefix).unwrap_or(name)
}

fn without_suffix<'a>(name: &'a str, suffix: &str) -> &'a str {
    name.strip_suffix(suffix).unwrap_or(name)
}
