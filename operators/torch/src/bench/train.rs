//! The rate of full LoRA steps on random tokens, as `lora_train.py` of the peers takes it.

use std::{path::PathBuf, time::Instant};

use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::{matrix_rate, row};
use crate::{
    ModelError,
    checkpoint::Checkpoint,
    device,
    nn::{Adapter, AdapterConfig, Decoder, weight::Bits},
    train::{
        AdamW, AdamWConfig,
        batch::{Batch, backward},
    },
};

/// What is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct TrainBench {
    /// Folder of the checkpoint.
    pub checkpoint: PathBuf,
    /// Tokens of a sequence.
    #[arg(long, default_value_t = 256)]
    pub seq: usize,
    /// Sequences of a step.
    #[arg(long, default_value_t = 2)]
    pub batch: usize,
    /// Steps that count, after two that do not.
    #[arg(long, default_value_t = 6)]
    pub steps: usize,
    /// Rank of the adapters.
    #[arg(long, default_value_t = 16)]
    pub rank: i64,
    /// auto, cpu, cuda or cuda:N.
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Type of the frozen base: float32 or bfloat16.
    #[arg(long, default_value = "bfloat16")]
    pub dtype: String,
    /// Holds the base in 4 bits (NF4, scales quantised too).
    #[arg(long)]
    pub qlora: bool,
    /// Computes layers again instead of keeping what they made.
    #[arg(long)]
    pub checkpointing: bool,
}

/// Tokens a second, and the share of what the machine's matrix products allow at 4 operations a weight and token.
///
/// # Errors
/// What is wrong with the checkpoint.
pub fn train(bench: &TrainBench) -> Result<Vec<Value>, ModelError> {
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
    let device = device::parse(&bench.device)?;
    let mut model = Decoder::load(&Checkpoint::open(&bench.checkpoint)?, device, kind)?;
    let weights: usize = model
        .named_weights()
        .iter()
        .map(|(_, weight)| weight.numel())
        .sum();
    if bench.qlora {
        model.pack(Bits::Nf4, true)?;
    }
    let names = [
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    ];
    let config = AdapterConfig {
        r: bench.rank,
        lora_alpha: bench.rank as f64,
        target_modules: names.map(str::to_owned).into(),
        ..AdapterConfig::default()
    };
    let adapter = Adapter::new(&model, config, 0)?;
    model.attach(&adapter)?;
    let constants = AdamWConfig {
        betas: (0.9, 0.999),
        epsilon: 1e-8,
        weight_decay: 0.01,
        clip_norm: 0.0,
        eight_bit: false,
    };
    let mut optimizer = AdamW::new(adapter.weights(), constants)?;
    tch::manual_seed(0);
    let sequences: Vec<(Vec<i64>, usize)> = (0..bench.batch)
        .map(|_| {
            let ids = Tensor::f_randint(
                model.architecture().vocabulary,
                // The last token is only predicted.
                [bench.seq as i64 + 1],
                (Kind::Int64, Device::Cpu),
            )?;
            Ok((Vec::<i64>::try_from(ids)?, 1))
        })
        .collect::<Result<_, ModelError>>()?;
    let batch = Batch::new(&sequences, device)?;
    let mut loss = 0.0;
    let mut times = Vec::with_capacity(bench.steps);
    for step in 0..bench.steps + 2 {
        let began = Instant::now();
        let sum = backward(&model, &batch, bench.checkpointing)?;
        optimizer
            .step(1e-4, 1.0 / batch.targets() as f64)?
            .f_double_value(&[])?;
        loss = sum.f_double_value(&[])? / batch.targets() as f64;
        if step >= 2 {
            times.push(began.elapsed().as_secs_f64());
        }
    }
    let peak = super::peak_rss_mib();
    let speed = batch.size() as f64 / (times.iter().sum::<f64>() / bench.steps.max(1) as f64);
    let limit = matrix_rate(kind, device)? / (4.0 * weights as f64);
    let name = bench
        .checkpoint
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut case = json!({"checkpoint": name, "seq": bench.seq, "batch": bench.batch, "rank": bench.rank,
        "dtype": bench.dtype, "device": bench.device, "qlora": bench.qlora, "checkpointing": bench.checkpointing,
        "loss": (loss * 1e4).round() / 1e4, "peak_rss_mib": peak});
    if let (Device::Cuda(index), Some(case)) = (device, case.as_object_mut()) {
        let (_, most) = twinloom_shim::gpu_memory(index, false)?;
        case.insert("gpu_peak_gib".to_owned(), json!(most as f64 / f64::from(1 << 30)));
    }
    Ok(vec![
        row("lora_train", "twinloom", speed, "tokens/s", case.clone()),
        row("lora_train", "share_of_limit", speed / limit, "share", case),
    ])
}
