//! Mistral: every layer looks through a sliding window, where the configuration does not lift it.

use serde_json::Value;

use super::{Family, fields::Fields};
use crate::nn::Architecture;

pub const FAMILY: Family = Family {
    model_type: "mistral",
    read,
};

fn read(config: &Value) -> Result<Architecture, String> {
    let mut fields = Fields::read(config)?;
    fields.num_key_value_heads.get_or_insert(8);
    let architecture = fields.architecture(131_072)?;
    // Left out it is 4096, null lifts it.
    let window = config.get("sliding_window").map_or(Some(4096), Value::as_i64);
    Ok(Architecture {
        windows: (0..architecture.layers).map(|_| window).collect(),
        ..architecture
    })
}
