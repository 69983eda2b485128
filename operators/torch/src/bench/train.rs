//! The rate of full LoRA steps on random tokens, as `lora_train.py` of the peers takes it.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::{folder_name, row};
use crate::{
    ModelError,
    checkpoint::{Checkpoint, kind_named},
    device,
    nn::{Adapter, AdapterConfig, Decoder, weight::Bits},
    seeded::seeded,
    train::{
        AdamW, AdamWConfig,
        batch::{Batch, backward},
        matrix_rate,
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
    /// Type of the frozen base: float32, float16 or bfloat16.
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
    let kind = kind_named(&bench.dtype)?;
    let device = device::parse(&bench.device)?;
    let bits = bench.qlora.then_some(Bits::Nf4);
    let mut tuned = Tuned::new(&bench.checkpoint, device, kind, bench.rank, bits)?;
    let batch = tuned.batch(bench.batch, bench.seq)?;
    let mut loss = 0.0;
    let mut times = Vec::with_capacity(bench.steps);
    for step in 0..bench.steps + 2 {
        let began = Instant::now();
        // Both read a value, which waits for the device.
        loss = tuned.backward(&batch, bench.checkpointing)?;
        tuned.step(&batch)?;
        if step >= 2 {
            times.push(began.elapsed().as_secs_f64());
        }
    }
    let peak = super::peak_rss_mib();
    // Before the matrices of the limit are among what was in use at most.
    let gpu_peak = match device {
        Device::Cuda(index) => Some(twinloom_shim::gpu_memory(index, false)?.1),
        _ => None,
    };
    let speed = batch.size() as f64 / (times.iter().sum::<f64>() / bench.steps.max(1) as f64);
    let limit = matrix_rate(kind, device)? / (4.0 * tuned.weights as f64);
    let mut case = json!({"checkpoint": folder_name(&bench.checkpoint), "seq": bench.seq, "batch": bench.batch,
        "rank": bench.rank, "dtype": bench.dtype, "device": bench.device, "qlora": bench.qlora,
        "checkpointing": bench.checkpointing, "loss": (loss * 1e4).round() / 1e4, "peak_rss_mib": peak});
    if let (Some(most), Some(case)) = (gpu_peak, case.as_object_mut()) {
        case.insert("gpu_peak_gib".to_owned(), json!(most as f64 / f64::from(1 << 30)));
    }
    Ok(vec![
        row("lora_train", "twinloom", speed, "tokens/s", case.clone()),
        row("lora_train", "share_of_limit", speed / limit, "share", case),
    ])
}

/// A checkpoint with an adapter on all its layers, and what trains it.
pub(super) struct Tuned {
    pub model: Decoder,
    pub adapter: Adapter,
    /// Weights of the base, before it was packed.
    pub weights: usize,
    device: Device,
    optimizer: AdamW,
}

impl Tuned {
    /// Over a base of that type, or packed.
    pub fn new(
        checkpoint: &Path,
        device: Device,
        kind: Kind,
        rank: i64,
        bits: Option<Bits>,
    ) -> Result<Self, ModelError> {
        let checkpoint = Checkpoint::open(checkpoint)?;
        let weights = checkpoint.parameters();
        let mut model = match bits {
            Some(bits) => Decoder::load_packed(&checkpoint, device, kind, bits, true)?,
            None => Decoder::load(&checkpoint, device, kind)?,
        };
        drop(checkpoint);
        let config = AdapterConfig {
            r: rank,
            lora_alpha: rank as f64,
            ..AdapterConfig::default()
        };
        let adapter = Adapter::new(&model, config, 0)?;
        model.attach(&adapter)?;
        let constants = AdamWConfig {
            weight_decay: 0.01,
            clip_norm: 0.0,
            ..AdamWConfig::default()
        };
        Ok(Self {
            optimizer: AdamW::new(adapter.weights(), constants)?,
            model,
            adapter,
            weights,
            device,
        })
    }

    /// Gives the second factors, which start as nothing, random values of that size.
    pub fn fill(&mut self, size: f64) -> Result<(), ModelError> {
        seeded(1, || {
            tch::no_grad(|| {
                for name in self.adapter.names() {
                    if let Some((_, b)) = self.adapter.factors(name) {
                        let drawn = Tensor::f_randn(b.size(), (Kind::Float, Device::Cpu))?;
                        b.shallow_clone().f_copy_(&drawn.f_mul_scalar(size)?)?;
                    }
                }
                Ok::<_, ModelError>(())
            })
        })
    }

    /// Random tokens, the same on every device.
    pub fn batch(&self, sequences: usize, length: usize) -> Result<Batch, ModelError> {
        let vocabulary = self.model.architecture().vocabulary;
        let draw = || -> Result<(Vec<i64>, usize), ModelError> {
            // The last token is only predicted.
            let ids = Tensor::f_randint(vocabulary, [length as i64 + 1], (Kind::Int64, Device::Cpu))?;
            Ok((Vec::<i64>::try_from(ids)?, 1))
        };
        let drawn = seeded(0, || {
            (0..sequences)
                .map(|_| draw())
                .collect::<Result<Vec<_>, ModelError>>()
        });
        Batch::new(&drawn?, self.device)
    }

    /// Adds the gradients; the loss a token.
    pub fn backward(&self, batch: &Batch, recompute: bool) -> Result<f64, ModelError> {
        let sum = backward(&self.model, batch, recompute)?;
        Ok(sum.f_double_value(&[])? / batch.targets() as f64)
    }

    /// The loss a token.
    pub fn loss(&self, batch: &Batch) -> Result<f64, ModelError> {
        Ok(batch.loss(&self.model)?.f_double_value(&[])? / batch.targets() as f64)
    }

    /// One step along the gradients.
    pub fn step(&mut self, batch: &Batch) -> Result<(), ModelError> {
        let norm = self.optimizer.step(1e-4, 1.0 / batch.targets() as f64)?;
        norm.f_double_value(&[])?;
        Ok(())
    }
}
