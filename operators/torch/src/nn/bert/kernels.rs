//! An encoder's blocks on the CPU kernels.

use tch::Tensor;
use twinloom_kernels::{Activation, Cores, Encoder, EncoderLayer, Format, Linear as Rows, Norm};

use super::{layer::Layer, packed::Packed};
use crate::{
    ModelError,
    nn::{
        Linear,
        norm::LayerNorm,
        packing::{matrix, values},
    },
};

/// Packed blocks, and the threads that run them.
pub struct Kernels {
    encoder: Encoder,
    cores: Cores,
}

impl Kernels {
    /// Packs blocks; they are not needed any more after that.
    pub fn new(layers: &[Layer], hidden: i64, heads: i64, format: Format) -> Result<Self, ModelError> {
        let size = |value: i64| usize::try_from(value).unwrap_or_default();
        Ok(Self {
            encoder: Encoder {
                layers: layers
                    .iter()
                    .map(|layer| packed(layer, format))
                    .collect::<Result<_, _>>()?,
                heads: size(heads),
                hidden: size(hidden),
            },
            cores: Cores::new(std::thread::available_parallelism().map_or(1, usize::from)),
        })
    }

    /// Hidden states `[tokens, hidden]` to the same, fp32.
    pub fn forward(&self, x: &Tensor, batch: &Packed) -> Result<Tensor, ModelError> {
        let size = |value: i64| usize::try_from(value).unwrap_or_default();
        let lengths: Vec<usize> = batch
            .runs
            .iter()
            .flat_map(|run| std::iter::repeat_n(size(run.length), size(run.count)))
            .collect();
        let mut hidden = values(x)?;
        self.encoder.forward(&self.cores, &mut hidden, &lengths);
        Ok(Tensor::f_from_slice(&hidden)?.f_view([-1, self.encoder.hidden as i64])?)
    }
}

fn packed(layer: &Layer, format: Format) -> Result<EncoderLayer, ModelError> {
    let linear = |linear: &Linear| {
        let weight = linear.weight.as_dense().ok_or_else(|| {
            ModelError::input(
                format!("`{}` is not held dense", linear.name),
                "Load the model without quantisation.",
            )
        })?;
        Ok::<_, ModelError>(Rows {
            weight: matrix(&[weight], format)?,
            bias: linear.bias.as_ref().map(values).transpose()?,
        })
    };
    let norm = |norm: &LayerNorm| {
        let (weight, bias, eps) = norm.parts();
        Ok::<_, ModelError>(Norm::Layer {
            weight: values(weight)?,
            bias: values(bias)?,
            eps: eps as f32,
        })
    };
    Ok(EncoderLayer {
        qkv: linear(&layer.qkv)?,
        output: linear(&layer.output)?,
        attention_norm: norm(&layer.attention_norm)?,
        up: linear(&layer.up)?,
        activation: match layer.gelu {
            "none" => Activation::Gelu,
            _ => Activation::GeluTanh,
        },
        down: linear(&layer.down)?,
        feed_norm: norm(&layer.feed_norm)?,
    })
}
