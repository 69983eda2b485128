//! `twinloom-torch inspect`: whether a checkpoint can be used, what it is, and what loading it takes.

use std::{collections::BTreeMap, fs, time::Instant};

use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::{
    ModelError,
    checkpoint::{Checkpoint, hub, kind_of_config},
    nn::{Decoder, bert::Bert},
};

/// Finds a model by folder or name (downloading it), loads it onto the CPU as `kind` or in its own type, reads every
/// weight, and tells: folder, commit, type, parameters, bytes of its files, seconds, the process's peak memory.
///
/// # Errors
/// What is missing or wrong; `model.damaged` for weights that are not finite.
pub fn inspect(reference: &str, kind: Option<Kind>) -> Result<Value, ModelError> {
    let found = hub::locate(reference)?;
    let start = Instant::now();
    let checkpoint = Checkpoint::open(&found.dir)?;
    let config = checkpoint.config_json().clone();
    let kind = kind.or_else(|| kind_of_config(&config)).unwrap_or(Kind::Float);
    let model_type = config
        .get("model_type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let bytes = checkpoint.bytes();
    let parameters = match Bert::is_encoder(model_type) {
        true => {
            let parameters = checkpoint.parameters();
            Bert::load(&checkpoint, Device::Cpu, kind)?;
            parameters
        }
        false => {
            let decoder = Decoder::load(&checkpoint, Device::Cpu, kind)?;
            drop(checkpoint);
            let weights: BTreeMap<String, Tensor> = decoder.named_weights().into_iter().collect();
            finite(&found.dir, &weights)?;
            weights.values().map(Tensor::numel).sum()
        }
    };
    Ok(json!({
        "dir": found.dir, "commit": found.hub.map(|name| name.revision().to_owned()), "model_type": model_type,
        "parameters": parameters, "bytes": bytes, "kind": format!("{kind:?}").to_lowercase(),
        "seconds": start.elapsed().as_secs_f64(), "peak": peak(),
    }))
}

fn finite(dir: &std::path::Path, weights: &BTreeMap<String, Tensor>) -> Result<(), ModelError> {
    let _guard = tch::no_grad_guard();
    for (name, weight) in weights {
        // Both ends are numbers only where every value is; nothing of the weight's size is made on the way.
        let (least, most) = weight.f_aminmax(None, false)?;
        if !(least.f_double_value(&[])?.is_finite() && most.f_double_value(&[])?.is_finite()) {
            return Err(ModelError::Damaged {
                path: dir.to_owned(),
                why: format!("`{name}` holds values that are no numbers"),
            });
        }
    }
    Ok(())
}

/// The most memory that this process held, in bytes, as Linux tells it.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
