//! What loading takes, measured in a process of its own.

use std::path::Path;

use serde_json::{Value, json};
use tch::{Device, Kind};
use twinloom_torch::{
    checkpoint::{write_config, write_safetensors},
    nn::{Architecture, Decoder},
};

use super::support::torch;

/// A checkpoint of 73 MB.
fn write(dir: &Path) -> u64 {
    let architecture = Architecture {
        vocabulary: 8000,
        hidden: 512,
        intermediate: 1408,
        layers: 4,
        heads: 8,
        kv_heads: 8,
        head_dim: 64,
        max_positions: 256,
        tied: true,
        ..Architecture::default()
    };
    let model = Decoder::random(architecture, 1, Device::Cpu).unwrap();
    write_safetensors(&dir.join("model.safetensors"), &model.named_weights()).unwrap();
    let config = json!({"model_type": "llama", "vocab_size": 8000, "hidden_size": 512, "intermediate_size": 1408,
        "num_hidden_layers": 4, "num_attention_heads": 8, "max_position_embeddings": 256, "tie_word_embeddings": true});
    write_config(&dir.join("config.json"), &config).unwrap();
    std::fs::metadata(dir.join("model.safetensors")).unwrap().len()
}

fn inspect(dir: &Path, dtype: &str) -> Value {
    let out = torch()
        .arg("inspect")
        .arg(dir)
        .args(["--dtype", dtype])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn a_checkpoint_is_never_twice_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let size = write(dir.path());
    let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny-llama");
    for (dtype, share) in [("float32", 1.0), ("bfloat16", 0.5)] {
        let found = inspect(dir.path(), dtype);
        assert_eq!(found["bytes"], json!(size));
        // The same for a tiny model is what libtorch itself takes.
        let peak = |found: &Value| found["peak"].as_u64().unwrap() as f64;
        let taken = peak(&found) - peak(&inspect(&small, dtype));
        eprintln!("{dtype}: {:.3} of the file", taken / size as f64);
        // A conversion holds its largest tensor twice for a moment.
        let largest = if dtype == "float32" {
            0.0
        } else {
            f64::from(8000 * 512 * 4)
        };
        let most = 1.05 * share * size as f64 + largest + 4e6;
        assert!(taken < most, "{dtype}: {taken} bytes for a file of {size}");
    }
}

#[test]
fn weights_that_are_no_numbers_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families/qwen3");
    std::fs::copy(golden.join("config.json"), dir.path().join("config.json")).unwrap();
    let checkpoint = twinloom_torch::checkpoint::Checkpoint::open(&golden).unwrap();
    let model = Decoder::load(&checkpoint, Device::Cpu, Kind::Float).unwrap();
    let mut weights = model.named_weights();
    weights[3].1 = weights[3].1.full_like(f64::NAN);
    write_safetensors(&dir.path().join("model.safetensors"), &weights).unwrap();
    let out = torch().arg("inspect").arg(dir.path()).output().unwrap();
    let words = String::from_utf8_lossy(&out.stderr);
    assert!(
        !out.status.success() && words.contains("model.damaged") && words.contains(&weights[3].0),
        "{words}"
    );

    let mut nowhere = torch();
    nowhere
        .args(["inspect", "nobody/nothing"])
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_HOME", dir.path());
    let out = nowhere.output().unwrap();
    assert!(String::from_utf8_lossy(&out.stderr).contains("model.hub_unreachable"));
}
