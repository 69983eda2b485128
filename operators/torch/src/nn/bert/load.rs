//! Reading an encoder's weights.

use tch::{Device, Kind, Tensor};

use super::{Bert, config::BertConfig, layer::Layer};
use crate::{
    ModelError,
    checkpoint::Checkpoint,
    nn::{Linear, norm::LayerNorm},
};

pub fn load(checkpoint: &Checkpoint, device: Device, kind: Kind) -> Result<Bert, ModelError> {
    let config: BertConfig = checkpoint.config()?;
    let gelu = config
        .check()
        .and_then(|()| config.gelu())
        .map_err(|why| ModelError::Config {
            path: checkpoint.dir().join("config.json"),
            why,
            hint: "Use a BERT-type embedder such as all-MiniLM-L6-v2, or a RoBERTa-type one.".to_owned(),
        })?;
    let prefix = config.prefix();
    let inner = checkpoint.has(&format!("{prefix}embeddings.word_embeddings.weight"));
    let loader = Loader {
        checkpoint,
        prefix: if inner { prefix } else { "" },
        device,
        kind,
        hidden: config.hidden_size,
        eps: config.layer_norm_eps,
    };
    let embedding =
        |name: &str, rows| loader.tensor(&format!("embeddings.{name}.weight"), &[rows, config.hidden_size]);
    Ok(Bert {
        words: embedding("word_embeddings", config.vocab_size)?,
        positions: embedding("position_embeddings", config.max_position_embeddings)?,
        kinds_of_text: embedding("token_type_embeddings", config.type_vocab_size)?,
        norm: loader.norm("embeddings.LayerNorm")?,
        layers: (0..config.num_hidden_layers)
            .map(|index| loader.layer(index, config.intermediate_size, gelu))
            .collect::<Result<_, _>>()?,
        kernels: None,
        device,
        config,
    })
}

struct Loader<'a> {
    checkpoint: &'a Checkpoint,
    prefix: &'a str,
    device: Device,
    kind: Kind,
    hidden: i64,
    eps: f64,
}

impl Loader<'_> {
    fn tensor(&self, name: &str, shape: &[i64]) -> Result<Tensor, ModelError> {
        self.checkpoint
            .tensor(&format!("{}{name}", self.prefix), shape, self.device, self.kind)
    }

    fn norm(&self, name: &str) -> Result<LayerNorm, ModelError> {
        let name = format!("{}{name}", self.prefix);
        LayerNorm::load(
            self.checkpoint,
            &name,
            self.hidden,
            self.eps,
            (self.kind, self.device),
        )
    }

    fn linear(&self, name: &str, outputs: i64, inputs: i64) -> Result<Linear, ModelError> {
        let name = format!("{}{name}", self.prefix);
        Linear::load(
            self.checkpoint,
            name,
            (outputs, inputs),
            true,
            self.device,
            self.kind,
        )
    }

    fn layer(&self, index: i64, intermediate: i64, gelu: &'static str) -> Result<Layer, ModelError> {
        let (name, hidden) = (format!("encoder.layer.{index}"), self.hidden);
        let part = |part: &str| self.linear(&format!("{name}.attention.self.{part}"), hidden, hidden);
        let parts = [part("query")?, part("key")?, part("value")?];
        let dense: Vec<_> = parts
            .iter()
            .filter_map(|linear| linear.weight.as_dense())
            .collect();
        let weight = Tensor::f_cat(&dense, 0)?;
        let biases: Vec<_> = parts.iter().filter_map(|linear| linear.bias.as_ref()).collect();
        let bias = Tensor::f_cat(&biases, 0)?;
        Ok(Layer {
            gelu,
            qkv: Linear::new(format!("{name}.attention.self.qkv"), weight, Some(bias)),
            output: self.linear(&format!("{name}.attention.output.dense"), hidden, hidden)?,
            attention_norm: self.norm(&format!("{name}.attention.output.LayerNorm"))?,
            up: self.linear(&format!("{name}.intermediate.dense"), intermediate, hidden)?,
            down: self.linear(&format!("{name}.output.dense"), hidden, intermediate)?,
            feed_norm: self.norm(&format!("{name}.output.LayerNorm"))?,
        })
    }
}
