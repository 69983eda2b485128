//! Qwen3: every head's query and key are normalised; heads have a width of their own.

use serde_json::Value;

use super::{Family, fields::Fields};
use crate::nn::Architecture;

pub const FAMILY: Family = Family {
    model_type: "qwen3",
    read,
};

fn read(config: &Value) -> Result<Architecture, String> {
    let mut fields = Fields::read(config)?;
    fields.head_dim.get_or_insert(128);
    let architecture = fields.architecture(32_768)?;
    Ok(Architecture {
        attention_bias: [fields.attention_bias.unwrap_or(false); 2],
        query_key_norm: true,
        windows: fields.later_windows(architecture.layers)?,
        ..architecture
    })
}
