//! An encoder's config.json.

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub struct BertConfig {
    model_type: String,
    pub vocab_size: i64,
    pub hidden_size: i64,
    pub num_hidden_layers: i64,
    pub num_attention_heads: i64,
    pub intermediate_size: i64,
    pub max_position_embeddings: i64,
    #[serde(default = "two")]
    pub type_vocab_size: i64,
    #[serde(default = "default_eps")]
    pub layer_norm_eps: f64,
    #[serde(default = "default_act")]
    hidden_act: String,
    #[serde(default = "default_positions")]
    position_embedding_type: String,
    #[serde(default)]
    is_decoder: bool,
    pad_token_id: Option<i64>,
}

/// Families that start their positions after the padding's, and name their parts `roberta`.
const ROBERTA: [&str; 3] = ["roberta", "xlm-roberta", "camembert"];

/// Whether there is code for that `model_type`.
pub fn is_known(model_type: &str) -> bool {
    model_type == "bert" || ROBERTA.contains(&model_type)
}

fn two() -> i64 {
    2
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

impl BertConfig {
    /// Whether it is of RoBERTa's kind.
    pub fn is_roberta(&self) -> bool {
        ROBERTA.contains(&self.model_type.as_str())
    }

    /// What the encoder's weights are called in a checkpoint of a larger model.
    pub fn prefix(&self) -> &'static str {
        if self.is_roberta() { "roberta." } else { "bert." }
    }

    /// The row of a sequence's first position.
    pub fn first_position(&self) -> i64 {
        if self.is_roberta() {
            self.pad_token_id.unwrap_or(1) + 1
        } else {
            0
        }
    }

    /// Longest sequence, in tokens.
    pub fn length(&self) -> i64 {
        self.max_position_embeddings - self.first_position()
    }

    /// libtorch's name of the kind of GELU.
    pub fn gelu(&self) -> Result<&'static str, String> {
        match self.hidden_act.as_str() {
            "gelu" => Ok("none"),
            "gelu_new" | "gelu_pytorch_tanh" => Ok("tanh"),
            other => Err(format!("hidden_act is `{other}`, only GELUs are known")),
        }
    }

    /// Whether the numbers can be those of an encoder that there is code for.
    pub fn check(&self) -> Result<(), String> {
        let kind = &self.model_type;
        if !is_known(kind) {
            return Err(format!(
                "model_type is `{kind}`, known are bert, {}",
                ROBERTA.join(", ")
            ));
        }
        if self.position_embedding_type != "absolute" {
            return Err(format!(
                "position_embedding_type is `{}`",
                self.position_embedding_type
            ));
        }
        if self.is_decoder {
            return Err("is_decoder is set".to_owned());
        }
        self.gelu()?;
        let numbers = [
            ("vocab_size", self.vocab_size, 4_000_000),
            ("hidden_size", self.hidden_size, 65_536),
            ("num_hidden_layers", self.num_hidden_layers, 1_000),
            ("num_attention_heads", self.num_attention_heads, 1_024),
            ("intermediate_size", self.intermediate_size, 1_048_576),
            ("max_position_embeddings", self.max_position_embeddings, 1_000_000),
            ("max_position_embeddings less padding", self.length(), 1_000_000),
            ("type_vocab_size", self.type_vocab_size, 1_024),
            ("pad_token_id + 1", self.first_position() + 1, 1_000_000),
        ];
        if let Some((name, value, most)) = numbers
            .iter()
            .find(|(_, value, most)| !(1..=*most).contains(value))
        {
            return Err(format!("{name} is {value}, it has to be from 1 to {most}"));
        }
        if self.hidden_size % self.num_attention_heads != 0 {
            return Err(format!(
                "{} values cannot be split over {} heads",
                self.hidden_size, self.num_attention_heads
            ));
        }
        Ok(())
    }
}
