//! Types of weights, as safetensors, config.json and libtorch name them.

use safetensors::Dtype;
use tch::Kind;

use crate::ModelError;

/// libtorch's name of a type that weights may have.
pub fn weight_kind(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::F32 => Some(Kind::Float),
        Dtype::F16 => Some(Kind::Half),
        Dtype::BF16 => Some(Kind::BFloat16),
        _ => None,
    }
}

/// libtorch's name of any type that this project writes.
pub fn any_kind(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::U8 => Some(Kind::Uint8),
        Dtype::I8 => Some(Kind::Int8),
        other => weight_kind(other),
    }
}

/// safetensors' name of a type that is written: weights' types, and those of packed states.
pub fn dtype(kind: Kind) -> Option<Dtype> {
    match kind {
        Kind::Uint8 => Some(Dtype::U8),
        Kind::Int8 => Some(Dtype::I8),
        Kind::Float => Some(Dtype::F32),
        Kind::Half => Some(Dtype::F16),
        Kind::BFloat16 => Some(Dtype::BF16),
        _ => None,
    }
}

/// The type that config.json says the weights were made in: `dtype`, formerly `torch_dtype`.
#[must_use]
pub fn kind_of_config(config: &serde_json::Value) -> Option<Kind> {
    kind_named(
        config
            .get("dtype")
            .or_else(|| config.get("torch_dtype"))?
            .as_str()?,
    )
    .ok()
}

/// A type by the name that config.json has for it.
///
/// # Errors
/// `model.input` for another name.
pub fn kind_named(name: &str) -> Result<Kind, ModelError> {
    match name {
        "float32" => Ok(Kind::Float),
        "float16" => Ok(Kind::Half),
        "bfloat16" => Ok(Kind::BFloat16),
        other => Err(ModelError::input(
            format!("there is no type `{other}`"),
            "Use float32, float16 or bfloat16.",
        )),
    }
}
