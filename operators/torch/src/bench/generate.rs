//! The rate of greedy decoding, over a batch of random prompts of equal length.

use std::{collections::VecDeque, path::PathBuf, time::Instant};

use serde_json::{Value, json};
use tch::Kind;

use super::{folder_name, memory_rate, row};
use crate::{
    ModelError,
    checkpoint::{Checkpoint, kind_of_config},
    device,
    generate::{Libtorch, Native, NativeOptions, Piece, Runner, Slot},
    nn::Decoder,
    serve::Weights,
    train::random::Random,
};

/// What is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct GenerateBench {
    /// Folder of the checkpoint.
    #[arg(long)]
    pub checkpoint: PathBuf,
    /// Tokens read.
    #[arg(long, default_value_t = 128)]
    pub prompt: usize,
    /// Tokens written.
    #[arg(long, default_value_t = 128)]
    pub new: usize,
    /// Texts at a time.
    #[arg(long, default_value_t = 1)]
    pub batch: usize,
    /// How weights are held.
    #[arg(long, value_enum, default_value_t = Weights::Bf16)]
    pub weights: Weights,
    /// Runs on libtorch instead of the CPU kernels; always so on a GPU.
    #[arg(long)]
    pub libtorch: bool,
    /// cpu, cuda or cuda:N.
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Runs, of which the fastest counts.
    #[arg(long, default_value_t = 2)]
    pub repeats: usize,
}

/// New tokens a second, the prompts' reading included; and the share of the memory's bandwidth that the steps alone reach.
///
/// # Errors
/// What is wrong with the checkpoint.
pub fn generate(bench: &GenerateBench) -> Result<Vec<Value>, ModelError> {
    let device = device::parse(&bench.device)?;
    let checkpoint = Checkpoint::open(&bench.checkpoint)?;
    let kind = match bench.weights {
        Weights::F32 => Kind::Float,
        Weights::Auto => kind_of_config(checkpoint.config_json()).unwrap_or(Kind::Float),
        _ => Kind::BFloat16,
    };
    let decoder = Decoder::load(&checkpoint, device, kind)?;
    let vocabulary = usize::try_from(decoder.architecture().vocabulary).unwrap_or_default();
    let positions = bench.batch * (bench.prompt + bench.new);
    let on_libtorch = bench.libtorch || device.is_cuda();
    let case = json!({"checkpoint": folder_name(&bench.checkpoint), "prompt": bench.prompt, "new": bench.new, "batch": bench.batch,
        "dtype": format!("{:?}", bench.weights).to_lowercase(), "device": bench.device,
        "backend": if on_libtorch { "libtorch" } else { "kernels" }});
    let mut random = Random::new(0, 0);
    // Other prompts each time: what was read before must not help.
    let mut prompts = || -> Vec<Vec<u32>> {
        let mut token = |_| 3 + random.below(vocabulary.saturating_sub(3)) as u32;
        (0..bench.batch)
            .map(|_| (0..bench.prompt).map(&mut token).collect())
            .collect()
    };
    let mut run = |runner: &mut dyn Runner| -> Result<(f64, f64), ModelError> {
        write(runner, &prompts(), 8.min(bench.new))?;
        let mut best = (f64::INFINITY, f64::INFINITY);
        for _ in 0..bench.repeats.max(1) {
            let written = write(runner, &prompts(), bench.new)?;
            best = (best.0.min(written.seconds), best.1.min(written.step));
        }
        Ok(best)
    };
    let ((seconds, step), (bytes, bandwidth)) = if on_libtorch {
        let bytes = bytes_a_step(&decoder)?;
        let times = run(&mut Libtorch::new(decoder, positions))?;
        (times, (bytes, memory_rate(device)?))
    } else {
        let options = NativeOptions {
            cache_bytes: 8 << 30,
            ..NativeOptions::new(bench.weights.format(kind))
        };
        let mut native = Native::new(&decoder, options)?;
        drop(decoder);
        (run(&mut native)?, native.limit()?)
    };
    let rate = (bench.batch * bench.new) as f64 / seconds;
    let share = bytes / step / bandwidth;
    Ok(vec![
        row("generate", "twinloom", rate, "tokens/s", case.clone()),
        row("generate", "share_of_limit", share, "share", case),
        row("memory_bandwidth", "limit", bandwidth / 1e9, "GB/s", json!({})),
    ])
}

/// Bytes of weights that a step reads: all layers, and the output matrix.
fn bytes_a_step(decoder: &Decoder) -> Result<f64, ModelError> {
    let layers: usize = decoder.linears().map(|linear| linear.weight.bytes()).sum();
    let output = decoder.output_matrix()?;
    Ok((layers + output.numel() * output.kind().elt_size_in_bytes()) as f64)
}

/// A batch of texts, and the time that it took.
pub(super) struct Written {
    /// In all.
    pub seconds: f64,
    /// Of the median step.
    pub step: f64,
    /// The likeliest tokens, step by step, of one text after the other.
    pub tokens: Vec<u32>,
}

/// Continues prompts together, each by so many tokens.
pub(super) fn write(
    runner: &mut dyn Runner,
    prompts: &[Vec<u32>],
    new: usize,
) -> Result<Written, ModelError> {
    let start = Instant::now();
    let mut open: Vec<(Slot, VecDeque<u32>)> = Vec::new();
    for prompt in prompts {
        let opened = runner.open(prompt, prompt.len() + new, None)?;
        let opened =
            opened.ok_or_else(|| ModelError::busy("there is no room for the batch", "Make it smaller."))?;
        open.push((opened.slot, prompt.iter().skip(opened.known).copied().collect()));
    }
    let (mut times, mut written) = (Vec::with_capacity(new), Vec::new());
    for _ in 0..new {
        let began = Instant::now();
        let pieces: Vec<Piece<'_>> = open
            .iter()
            .map(|(slot, tokens)| Piece {
                slot: *slot,
                tokens: tokens.as_slices().0,
                wanted: true,
            })
            .collect();
        let logits = runner.step(&pieces)?;
        for ((_, tokens), row) in open.iter_mut().zip(logits.chunks_exact(runner.vocabulary())) {
            let token = twinloom_kernels::argmax(row) as u32;
            *tokens = VecDeque::from([token]);
            written.push(token);
        }
        times.push(began.elapsed().as_secs_f64());
    }
    open.into_iter().for_each(|(slot, _)| runner.close(slot));
    let seconds = start.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    Ok(Written {
        seconds,
        step: times.get(times.len() / 2).copied().unwrap_or(f64::INFINITY),
        tokens: written,
    })
}
