//! The fields of config.json that families with rotary positions share.

use serde::Deserialize;
use serde_json::Value;

use crate::nn::{architecture::Architecture, rope::RopeScaling};

#[derive(Deserialize)]
pub struct Fields {
    vocab_size: i64,
    hidden_size: i64,
    intermediate_size: i64,
    num_hidden_layers: i64,
    num_attention_heads: i64,
    pub num_key_value_heads: Option<i64>,
    pub head_dim: Option<i64>,
    max_position_embeddings: Option<i64>,
    rms_norm_eps: Option<f64>,
    rope_theta: Option<f64>,
    rope_scaling: Option<Value>,
    rope_parameters: Option<Value>,
    partial_rotary_factor: Option<f64>,
    pub tie_word_embeddings: Option<bool>,
    pub attention_bias: Option<bool>,
    pub mlp_bias: Option<bool>,
    hidden_act: Option<String>,
    /// Where it is set it counts instead of `hidden_act`.
    pub hidden_activation: Option<String>,
    #[serde(default)]
    use_sliding_window: bool,
    sliding_window: Option<i64>,
    max_window_layers: Option<i64>,
    layer_types: Option<Vec<String>>,
}

impl Fields {
    pub fn read(config: &Value) -> Result<Self, String> {
        serde_json::from_value(config.clone()).map_err(|error| error.to_string())
    }

    /// A plain Llama of these sizes; so many positions where the file does not tell.
    pub fn architecture(&self, positions: i64) -> Result<Architecture, String> {
        let activation = self.hidden_act.as_deref().unwrap_or("silu");
        if self.hidden_activation.is_none() && activation != "silu" {
            return Err(format!("hidden_act is `{activation}`, the family has silu"));
        }
        let heads = self.num_attention_heads;
        let split = || self.hidden_size.checked_div(heads).unwrap_or(0);
        let max_positions = self.max_position_embeddings.unwrap_or(positions);
        let (rope_theta, rope_scaling) = self.rope(max_positions)?;
        let architecture = Architecture {
            vocabulary: self.vocab_size,
            hidden: self.hidden_size,
            intermediate: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads,
            kv_heads: self.num_key_value_heads.unwrap_or(heads),
            head_dim: self.head_dim.unwrap_or_else(split),
            max_positions,
            norm_eps: self.rms_norm_eps.unwrap_or(1e-6),
            rope_theta,
            rope_scaling,
            tied: self.tie_word_embeddings.unwrap_or(false),
            ..Architecture::default()
        };
        architecture.check()?;
        Ok(architecture)
    }

    /// Windows as Qwen has them: off unless `use_sliding_window`, and then from the layer `max_window_layers` on.
    pub fn later_windows(&self, layers: i64) -> Result<Vec<Option<i64>>, String> {
        let window = self
            .use_sliding_window
            .then(|| self.sliding_window.unwrap_or(4096));
        let from = self.max_window_layers.unwrap_or(28);
        self.windows(layers, window, |layer| layer >= from)
    }

    /// The window of each layer: by `layer_types`, or where the file has none by the family's rule.
    pub fn windows(
        &self,
        layers: i64,
        window: Option<i64>,
        rule: impl Fn(i64) -> bool,
    ) -> Result<Vec<Option<i64>>, String> {
        let Some(types) = &self.layer_types else {
            return Ok((0..layers).map(|layer| window.filter(|_| rule(layer))).collect());
        };
        if types.len() as i64 != layers {
            return Err(format!(
                "layer_types has {} entries for {layers} layers",
                types.len()
            ));
        }
        let of = |kind: &String| match kind.as_str() {
            "sliding_attention" => Ok(window),
            "full_attention" => Ok(None),
            other => Err(format!("layer_types has `{other}`")),
        };
        types.iter().map(of).collect()
    }

    /// Base and scaling of the rotation; transformers 5 writes both into `rope_parameters`.
    fn rope(&self, max_positions: i64) -> Result<(f64, RopeScaling), String> {
        let parameters = self.rope_parameters.as_ref().or(self.rope_scaling.as_ref());
        let number = |name: &str| parameters?.get(name)?.as_f64();
        let theta = number("rope_theta").or(self.rope_theta).unwrap_or(10_000.0);
        if number("partial_rotary_factor")
            .or(self.partial_rotary_factor)
            .is_some_and(|part| part != 1.0)
        {
            return Err("partial_rotary_factor is not 1".to_owned());
        }
        let scaling = match parameters {
            Some(parameters) => RopeScaling::read(parameters, max_positions)?,
            None => RopeScaling::None,
        };
        Ok((theta, scaling))
    }
}
