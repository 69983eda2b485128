//! `twinloom-torch bench`: figures as JSON lines, on the workloads of the peers' scripts.

mod agree;
mod embed;
mod generate;
mod rerank;
mod train;

pub use agree::{AgreeBench, agree};
pub use embed::{EmbedBench, embed};
pub use generate::{GenerateBench, generate};
pub use rerank::{RerankBench, rerank};
pub use train::{TrainBench, train};

use std::{path::Path, time::Instant};

use serde_json::{Map, Value, json};
use tch::{Cuda, Device, Kind, Tensor};

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

/// The same of work on a device: a GPU is asked for a result and goes on computing, so every call waits for it.
fn best_on(
    device: Device,
    repeats: usize,
    mut run: impl FnMut() -> Result<(), ModelError>,
) -> Result<f64, ModelError> {
    let wait = || {
        if let Device::Cuda(index) = device {
            Cuda::synchronize(index as i64);
        }
    };
    run()?;
    wait();
    best_of(repeats, || {
        run()?;
        wait();
        Ok(())
    })
}

/// Bytes a second that a device's memory gives: of a GPU, the better of a copy (which reads and writes) and a sum.
fn memory_rate(device: Device) -> Result<f64, ModelError> {
    if !device.is_cuda() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cores = twinloom_kernels::Cores::new(cores);
        return twinloom_kernels::read_bandwidth(&cores).map_err(crate::nn::packing::broken);
    }
    const VALUES: i64 = 1 << 28;
    let bytes = 4.0 * VALUES as f64;
    let _guard = tch::no_grad_guard();
    let from = Tensor::f_ones([VALUES], (Kind::Float, device))?;
    let mut to = from.f_zeros_like()?;
    let copy = best_on(device, 5, || Ok(to.f_copy_(&from)?))?;
    let sum = best_on(device, 5, || {
        from.f_sum(Kind::Float).map(drop).map_err(ModelError::from)
    })?;
    Ok((2.0 * bytes / copy).max(bytes / sum))
}

/// The last part of a folder's path, which names a checkpoint.
fn folder_name(dir: &Path) -> String {
    dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
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
