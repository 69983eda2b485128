//! BERT-type encoders, over sequences laid end to end: no padding is ever computed.

use serde::Deserialize;
use tch::{Device, Kind, Tensor};

use super::{Linear, norm::LayerNorm};
use crate::{ModelError, checkpoint::Checkpoint};

#[derive(Debug, Clone, Deserialize)]
struct BertConfig {
    model_type: String,
    vocab_size: i64,
    hidden_size: i64,
    num_hidden_layers: i64,
    num_attention_heads: i64,
    intermediate_size: i64,
    max_position_embeddings: i64,
    type_vocab_size: i64,
    #[serde(default = "default_eps")]
    layer_norm_eps: f64,
    #[serde(default = "default_act")]
    hidden_act: String,
    #[serde(default = "default_positions")]
    position_embedding_type: String,
}

fn default_eps() -> f64 {
    1e-12
}
fn default_act() -> String {
    "gelu".to_owned()
}
fn default_positions() -> String {
    "absolute".to_owned()
}

/// Sequences laid end to end; those of equal length that follow each other go through attention together.
#[derive(Debug, Default)]
pub struct Packed {
    ids: Vec<i64>,
    positions: Vec<i64>,
    /// First token, number of sequences, length of each.
    runs: Vec<(i64, i64, i64)>,
}

impl Packed {
    /// Adds a sequence of token ids; an empty one is passed over.
    pub fn push(&mut self, ids: &[u32]) {
        let length = ids.len() as i64;
        if length == 0 {
            return;
        }
        let start = self.ids.len() as i64;
        self.ids.extend(ids.iter().map(|&id| i64::from(id)));
        self.positions.extend(0..length);
        match self.runs.last_mut() {
            Some((_, count, of)) if *of == length => *count += 1,
            _ => self.runs.push((start, 1, length)),
        }
    }

    /// Tokens in all.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }
}

/// An encoder with its weights.
pub struct Bert {
    config: BertConfig,
    device: Device,
    words: Tensor,
    positions: Tensor,
    /// The type of a first, here the only, sentence.
    kind_of_sentence: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

struct Layer {
    /// Query, key and value in one matrix: one large product instead of three.
    qkv: Linear,
    output: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    feed_norm: LayerNorm,
}

impl Bert {
    /// Reads a checkpoint's weights onto a device, as a type.
    ///
    /// # Errors
    /// `model.config`, or what [`Checkpoint::tensor`] says.
    pub fn load(checkpoint: &Checkpoint, device: Device, kind: Kind) -> Result<Self, ModelError> {
        let config: BertConfig = checkpoint.config()?;
        check(&config).map_err(|why| ModelError::Config {
            path: checkpoint.dir().join("config.json"),
            why,
            hint: "Use a BERT-type embedder such as all-MiniLM-L6-v2.".to_owned(),
        })?;
        let prefix = if checkpoint.has("bert.embeddings.word_embeddings.weight") {
            "bert."
        } else {
            ""
        };
        let loader = Loader {
            checkpoint,
            prefix,
            device,
            kind,
            hidden: config.hidden_size,
            eps: config.layer_norm_eps,
        };
        let embedding = |name: &str, rows| {
            loader.tensor(&format!("embeddings.{name}.weight"), &[rows, config.hidden_size])
        };
        Ok(Self {
            words: embedding("word_embeddings", config.vocab_size)?,
            positions: embedding("position_embeddings", config.max_position_embeddings)?,
            kind_of_sentence: embedding("token_type_embeddings", config.type_vocab_size)?.f_get(0)?,
            norm: loader.norm("embeddings.LayerNorm")?,
            layers: (0..config.num_hidden_layers)
                .map(|index| loader.layer(index, config.intermediate_size))
                .collect::<Result<_, _>>()?,
            device,
            config,
        })
    }

    /// Values of a hidden state.
    #[must_use]
    pub fn hidden_size(&self) -> i64 {
        self.config.hidden_size
    }

    /// Longest sequence, in tokens.
    #[must_use]
    pub fn max_length(&self) -> usize {
        usize::try_from(self.config.max_position_embeddings).unwrap_or_default()
    }

    /// Hidden states of all tokens, `[tokens, hidden]`, in the order of the sequences. Without gradients.
    ///
    /// # Errors
    /// `model.input` for a token or length that the model does not know.
    pub fn forward(&self, batch: &Packed) -> Result<Tensor, ModelError> {
        self.check_input(batch)?;
        let index = |values: &[i64]| Tensor::f_from_slice(values)?.f_to_device(self.device);
        let mut x = self.words.f_index_select(0, &index(&batch.ids)?)?;
        let _ = x
            .f_add_(&self.positions.f_index_select(0, &index(&batch.positions)?)?)?
            .f_add_(&self.kind_of_sentence)?;
        x = self.norm.forward(&x)?;
        for layer in &self.layers {
            x = layer.forward(x, batch, self.config.num_attention_heads)?;
        }
        Ok(x)
    }

    /// The mean of each sequence's hidden states, `[sequences, hidden]`.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn mean(&self, hidden: &Tensor, batch: &Packed) -> Result<Tensor, ModelError> {
        self.pool(hidden, batch, |run| {
            run.f_mean_dim([1_i64].as_slice(), false, None)
        })
    }

    /// The hidden state of each sequence's first token, `[sequences, hidden]`.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn first(&self, hidden: &Tensor, batch: &Packed) -> Result<Tensor, ModelError> {
        self.pool(hidden, batch, |run| run.f_select(1, 0))
    }

    fn pool(
        &self,
        hidden: &Tensor,
        batch: &Packed,
        pool: impl Fn(&Tensor) -> Result<Tensor, tch::TchError>,
    ) -> Result<Tensor, ModelError> {
        let of_run = |&(start, count, length): &(i64, i64, i64)| {
            pool(&hidden.f_narrow(0, start, count * length)?.f_view([
                count,
                length,
                self.config.hidden_size,
            ])?)
        };
        let pooled = batch.runs.iter().map(of_run).collect::<Result<Vec<_>, _>>()?;
        Ok(Tensor::f_cat(&pooled, 0)?)
    }

    fn check_input(&self, batch: &Packed) -> Result<(), ModelError> {
        if let Some(id) = batch.ids.iter().find(|&&id| id >= self.config.vocab_size) {
            return Err(ModelError::input(
                format!(
                    "the token {id} is outside the model's vocabulary of {}",
                    self.config.vocab_size
                ),
                "Check that tokenizer.json belongs to these weights.",
            ));
        }
        let longest = batch.runs.iter().map(|run| run.2).max().unwrap_or(0);
        if longest > self.config.max_position_embeddings {
            return Err(ModelError::input(
                format!(
                    "a sequence has {longest} tokens, the model reads {}",
                    self.config.max_position_embeddings
                ),
                "Set a smaller max_length.",
            ));
        }
        Ok(())
    }
}

impl Layer {
    fn forward(&self, x: Tensor, batch: &Packed, heads: i64) -> Result<Tensor, ModelError> {
        let mut attended = self.output.forward(&self.attention(&x, batch, heads)?)?;
        let x = self.attention_norm.forward(&attended.f_add_(&x)?)?;
        let mut up = self.up.forward(&x)?;
        let mut down = self.down.forward(&up.f_gelu_("none")?)?;
        self.feed_norm.forward(&down.f_add_(&x)?)
    }

    fn attention(&self, x: &Tensor, batch: &Packed, heads: i64) -> Result<Tensor, ModelError> {
        let hidden = x.size2()?.1;
        let qkv = self.qkv.forward(x)?;
        let mut parts = Vec::with_capacity(batch.runs.len());
        for &(start, count, length) in &batch.runs {
            let run =
                qkv.f_narrow(0, start, count * length)?
                    .f_view([count, length, 3, heads, hidden / heads])?;
            let part = |index| run.f_select(2, index)?.f_transpose(1, 2);
            let (query, key, value) = (part(0)?, part(1)?, part(2)?);
            let attended = Tensor::f_scaled_dot_product_attention(
                &query,
                &key,
                &value,
                None::<&Tensor>,
                0.0,
                false,
                None,
                false,
            )?;
            parts.push(attended.f_transpose(1, 2)?.f_reshape([count * length, hidden])?);
        }
        Ok(Tensor::f_cat(&parts, 0)?)
    }
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

    fn layer(&self, index: i64, intermediate: i64) -> Result<Layer, ModelError> {
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
            qkv: Linear::new(format!("{name}.attention.self.qkv"), weight, Some(bias)),
            output: self.linear(&format!("{name}.attention.output.dense"), hidden, hidden)?,
            attention_norm: self.norm(&format!("{name}.attention.output.LayerNorm"))?,
            up: self.linear(&format!("{name}.intermediate.dense"), intermediate, hidden)?,
            down: self.linear(&format!("{name}.output.dense"), hidden, intermediate)?,
            feed_norm: self.norm(&format!("{name}.output.LayerNorm"))?,
        })
    }
}

fn check(config: &BertConfig) -> Result<(), String> {
    let texts = [
        ("model_type", &config.model_type, "bert"),
        ("hidden_act", &config.hidden_act, "gelu"),
        (
            "position_embedding_type",
            &config.position_embedding_type,
            "absolute",
        ),
    ];
    if let Some((name, found, known)) = texts.iter().find(|(_, found, known)| found != known) {
        return Err(format!("{name} is `{found}`, only `{known}` is known"));
    }
    let numbers = [
        ("vocab_size", config.vocab_size, 4_000_000),
        ("hidden_size", config.hidden_size, 65_536),
        ("num_hidden_layers", config.num_hidden_layers, 1_000),
        ("num_attention_heads", config.num_attention_heads, 1_024),
        ("intermediate_size", config.intermediate_size, 1_048_576),
        (
            "max_position_embeddings",
            config.max_position_embeddings,
            1_000_000,
        ),
        ("type_vocab_size", config.type_vocab_size, 1_024),
    ];
    if let Some((name, value, most)) = numbers
        .iter()
        .find(|(_, value, most)| !(1..=*most).contains(value))
    {
        return Err(format!("{name} is {value}, it has to be from 1 to {most}"));
    }
    if config.hidden_size % config.num_attention_heads != 0 {
        return Err(format!(
            "{} values cannot be split over {} heads",
            config.hidden_size, config.num_attention_heads
        ));
    }
    Ok(())
}
