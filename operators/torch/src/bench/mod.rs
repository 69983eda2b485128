//! `twinloom-torch bench`: figures as JSON lines, on the workloads of the peers' scripts.

mod embed;
mod generate;
mod rerank;
mod train;

pub use embed::{EmbedBench, embed};
pub use generate::{GenerateBench, generate};
pub use rerank::{RerankBench, rerank};
pub use train::{TrainBench, train};

use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::ModelError;

/// A row in the form that all benches share; `extra` names the case.
fn row(bench: &str, system: &str, value: f64, unit: &str, extra: Value) -> Value {
    let mut row = Map::new();
    row.insert("bench".to_owned(), json!(bench));
    row.insert("system".to_owned(), json!(system));
    row.insert("value".to_owned(), json!((value * 1000.0).round() / 1000.0));
    row.insert("unit".to_owned(), json!(unit));
    row.insert("peak_rss_mib".to_owned(), json!(peak_rss_mib()));
    row.insert("machine".to_owned(), json!(std::env::consts::ARCH));
    if let Value::Object(extra) = extra {
        row.extend(extra);
    }
    Value::Object(row)
}

/// Seconds of the fastest of some calls.
fn best_of(repeats: usize, mut run: impl FnMut() -> Result<(), ModelError>) -> Result<f64, ModelError> {
    let mut best = f64::INFINITY;
    for _ in 0..repeats {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// Rate of large matrix products of a type, in products and sums a second: what the machine can do at most.
fn matrix_rate(kind: tch::Kind, device: tch::Device) -> Result<f64, ModelError> {
    const SIDE: i64 = 2048;
    let _guard = tch::no_grad_guard();
    let random = || tch::Tensor::f_randn([SIDE, SIDE], (tch::Kind::Float, device))?.f_to_kind(kind);
    let (a, b) = (random()?, random()?);
    let product = || a.f_mm(&b).map(drop).map_err(ModelError::from);
    product()?;
    let seconds = best_of(3, product)?;
    Ok(2.0 * (SIDE as f64).powi(3) / seconds)
}

/// Rate of a large product of the CPU kernels, in products and sums a second.
fn kernel_rate(format: twinloom_kernels::Format) -> Result<f64, ModelError> {
    const SIDE: usize = 1024;
    let weight = twinloom_kernels::Packed::new(format, SIDE, SIDE, |row, out| {
        out.fill(1.0 / (row + 1) as f32);
    });
    let linear = twinloom_kernels::Linear {
        weight: weight.map_err(crate::nn::packing::broken)?,
        bias: None,
    };
    let cores = twinloom_kernels::Cores::new(std::thread::available_parallelism().map_or(1, usize::from));
    let (x, mut y) = (vec![1.0; SIDE * SIDE], vec![0.0; SIDE * SIDE]);
    let seconds = best_of(8, || {
        linear.forward(&cores, &x, SIDE, &mut y, false);
        Ok(())
    })?;
    Ok(2.0 * (SIDE as f64).powi(3) / seconds)
}

fn peak_rss_mib() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF);
    usage.map_or(0.0, |usage| {
        (usage.max_rss() as f64 / 1024.0 * 10.0).round() / 10.0
    })
}
