//! The rate of greedy decoding, over a batch of random prompts of equal length.

use std::path::PathBuf;

use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::row;
use crate::{
    ModelError,
    checkpoint::Checkpoint,
    nn::{Decoder, KvCache, Step},
};

/// What is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct GenerateBench {
    /// Folder of the checkpoint.
    #[arg(long)]
    pub checkpoint: PathBuf,
    /// Tokens read.
    #[arg(long, default_value_t = 128)]
    pub prompt: i64,
    /// Tokens written.
    #[arg(long, default_value_t = 128)]
    pub new: i64,
    /// Texts at a time.
    #[arg(long, default_value_t = 1)]
    pub batch: i64,
    /// Type of the weights: float32 or bfloat16.
    #[arg(long, default_value = "bfloat16")]
    pub dtype: String,
}

/// New tokens a second.
///
/// # Errors
/// What is wrong with the checkpoint.
pub fn generate(bench: &GenerateBench) -> Result<Vec<Value>, ModelError> {
    let kind = match bench.dtype.as_str() {
        "float32" => Kind::Float,
        "bfloat16" => Kind::BFloat16,
        other => {
            return Err(ModelError::input(
                format!("there is no type `{other}`"),
                "Use float32 or bfloat16.",
            ));
        }
    };
    let _guard = tch::no_grad_guard();
    let model = Decoder::load(&Checkpoint::open(&bench.checkpoint)?, Device::Cpu, kind)?;
    tch::manual_seed(0);
    let vocabulary = model.architecture().vocabulary;
    let prompt = Tensor::f_randint_low(
        3,
        vocabulary,
        [bench.batch, bench.prompt],
        (Kind::Int64, Device::Cpu),
    )?;
    write(&model, &prompt, 8)?;
    let start = std::time::Instant::now();
    write(&model, &prompt, bench.new)?;
    let seconds = start.elapsed().as_secs_f64();
    let name = bench
        .checkpoint
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let case = json!({"checkpoint": name, "prompt": bench.prompt, "new": bench.new, "batch": bench.batch,
        "dtype": bench.dtype, "device": "cpu"});
    Ok(vec![row(
        "generate",
        "twinloom",
        (bench.batch * bench.new) as f64 / seconds,
        "tokens/s",
        case,
    )])
}

fn write(model: &Decoder, prompt: &Tensor, new: i64) -> Result<(), ModelError> {
    let mut cache = KvCache::new(prompt.size2()?.1 + new);
    let mut step = prompt.shallow_clone();
    for _ in 0..new {
        let hidden = model.hidden(
            &step,
            Step {
                cache: Some(&mut cache),
                ..Step::default()
            },
        )?;
        step = model.logits(&hidden.f_select(1, -1)?)?.f_argmax(-1, true)?;
    }
    Ok(())
}
