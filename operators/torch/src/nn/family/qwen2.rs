//! Qwen2 and 2.5: query, key and value have biases; later layers may look through a window.

use serde_json::Value;

use super::{Family, fields::Fields};
use crate::nn::Architecture;

pub const FAMILY: Family = Family {
    model_type: "qwen2",
    read,
};

fn read(config: &Value) -> Result<Architecture, String> {
    let fields = Fields::read(config)?;
    let architecture = fields.architecture(32_768)?;
    Ok(Architecture {
        attention_bias: [true, false],
        windows: fields.later_windows(architecture.layers)?,
        ..architecture
    })
}
