//! Types of weights, as safetensors, config.json and libtorch name them.

use safetensors::Dtype;
use tch::Kind;

/// libtorch's name of a type that weights may have.
pub fn weight_kind(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::F32 => Some(Kind::Float),
        Dtype::F16 => Some(Kind::Half),
        Dtype::BF16 => Some(Kind::BFloat16),
        _ => None,
    }
}

/// safetensors' name of a type that weights may have.
pub fn dtype(kind: Kind) -> Option<Dtype> {
    match kind {
        Kind::Float => Some(Dtype::F32),
        Kind::Half => Some(Dtype::F16),
        Kind::BFloat16 => Some(Dtype::BF16),
        _ => None,
    }
}

/// The type that config.json says the weights were made in: `dtype`, formerly `torch_dtype`.
#[must_use]
pub fn kind_of_config(config: &serde_json::Value) -> Option<Kind> {
    match config
        .get("dtype")
        .or_else(|| config.get("torch_dtype"))?
        .as_str()?
    {
        "float32" => Some(Kind::Float),
        "float16" => Some(Kind::Half),
        "bfloat16" => Some(Kind::BFloat16),
        _ => None,
    }
}
