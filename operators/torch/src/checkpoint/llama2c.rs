//! Converts a llama2.c checkpoint (the legacy format, version 0) and its tokenizer to a Hugging Face folder.

mod pieces;
mod weights;

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{write_config, write_safetensors};
use crate::ModelError;
use pieces::Pieces;
use weights::{Header, Reader};

/// Reads `weights` and `tokenizer` and writes `config.json`, `model.safetensors`, `tokenizer.json` and
/// `tokenizer_config.json` to `out`, which is made where it is not there.
///
/// # Errors
/// `model.unreadable` or `model.damaged`, naming the file.
pub fn convert_llama2c(weights: &Path, tokenizer: &Path, out: &Path) -> Result<(), ModelError> {
    let io = |path: &Path, source| ModelError::Io {
        path: path.to_owned(),
        source,
    };
    let bytes = fs::read(weights).map_err(|source| io(weights, source))?;
    let mut reader = Reader::open(weights, &bytes)?;
    let header = reader.header().clone();
    let tensors = reader.tensors()?;
    let names = fs::read(tokenizer).map_err(|source| io(tokenizer, source))?;
    let pieces = Pieces::read(tokenizer, &names, header.vocabulary)?;
    fs::create_dir_all(out).map_err(|source| io(out, source))?;
    write_safetensors(&out.join("model.safetensors"), &tensors)?;
    write_config(&out.join("config.json"), &config(&header))?;
    write_config(&out.join("tokenizer.json"), &pieces.tokenizer())?;
    write_config(
        &out.join("tokenizer_config.json"),
        &pieces::tokenizer_config(header.positions),
    )
}

/// What llama2.c has built in: this norm, this rotation.
fn config(header: &Header) -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": header.vocabulary,
        "hidden_size": header.hidden,
        "intermediate_size": header.intermediate,
        "num_hidden_layers": header.layers,
        "num_attention_heads": header.heads,
        "num_key_value_heads": header.kv_heads,
        "head_dim": header.head_dim(),
        "max_position_embeddings": header.positions,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "hidden_act": "silu",
        "tie_word_embeddings": header.tied,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "dtype": "float32",
    })
}
