//! What is run where there is a GPU: as a dry run on the CPU, and for real where there is one.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::support::torch;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn rows(stdout: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(stdout);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// All that is compared, with the families' tiny models.
fn agree(device: &str) -> Command {
    let mut command = torch();
    command.args(["bench", "agree", "--seq", "24", "--device", device]);
    for family in std::fs::read_dir(golden("families")).unwrap() {
        command.arg("--checkpoint").arg(family.unwrap().path());
    }
    command
        .arg("--embedder")
        .arg(golden("encoders/bert-mean"))
        .arg("--reranker")
        .arg(golden("encoders/bert-reranker"));
    command
}

#[test]
fn a_gpu_computes_what_the_cpu_computes() {
    let info = torch().args(["info", "--json"]).output().unwrap();
    let info: Value = serde_json::from_slice(&info.stdout).unwrap();
    if info["cuda"] != true {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: no usable GPU ({})",
            info["cuda_problem"].as_str().unwrap_or("none is there")
        );
        return;
    }
    let out = agree("cuda").output().unwrap();
    assert!(
        out.status.success(),
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    assert!(rows(&out.stdout).len() > 80);
}

#[test]
fn a_difference_between_a_device_and_the_cpu_is_told_and_fails() {
    let tiny = || golden("tiny-llama");
    let compare = |dtype: &str| {
        let mut command = torch();
        command
            .args([
                "bench", "agree", "--device", "cpu", "--seq", "24", "--dtype", dtype,
            ])
            .arg("--checkpoint")
            .arg(tiny());
        command.output().unwrap()
    };
    let equal = compare("float32");
    assert!(
        equal.status.success(),
        "{}",
        String::from_utf8_lossy(&equal.stderr)
    );
    let told: Vec<String> = rows(&equal.stdout)
        .iter()
        .map(|row| row["what"].as_str().unwrap().to_owned())
        .collect();
    for what in [
        "product",
        "logits",
        "tokens",
        "lora gradients",
        "recomputed gradients",
        "qlora gradients",
        "loss after a qlora step",
    ] {
        assert!(told.iter().any(|told| told == what), "{what}: {told:?}");
    }
    // bf16 is not fp32: what the script would see of a device that computes something else.
    let other = compare("bfloat16");
    let words = String::from_utf8_lossy(&other.stderr);
    assert!(
        !other.status.success() && words.contains("lora gradients of tiny-llama"),
        "{words}"
    );
    let gradients = rows(&other.stdout)
        .into_iter()
        .find(|row| row["what"] == "lora gradients")
        .unwrap();
    assert_eq!(gradients["agrees"], false);
    let found = gradients["value"].as_f64().unwrap();
    assert!(found > 1e-3 && found < 0.3, "{gradients}");
}

#[test]
fn the_script_for_gpus_runs_its_commands_on_a_cpu() {
    let python = Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|out| out.status.success()) {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: no python3, which makes the script's checkpoints"
        );
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dir = tempfile::tempdir().unwrap();
    let articles = dir.path().join("articles.jsonl");
    let article =
        serde_json::json!({"text": "A ewe looks after her lamb through the first cold nights. ".repeat(60)});
    std::fs::write(&articles, format!("{article}\n")).unwrap();
    let out = Command::new("bash")
        .arg(root.join("infra/bench/gpu.sh"))
        .env("DEVICE", "cpu")
        .env("TORCH", env!("CARGO_BIN_EXE_twinloom-torch"))
        .env("ARTICLES", articles)
        .env("EMBEDDER", golden("encoders/bert-mean"))
        .env_remove("PEERS_PYTHON")
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && words.ends_with("all done\n"), "{words}");
    let rows = rows(&out.stdout);
    let count = |bench: &str, system: &str| {
        let of = |row: &&Value| row["bench"] == bench && row["system"] == system;
        rows.iter().filter(of).count()
    };
    assert_eq!(
        (
            count("lora_train", "twinloom"),
            count("generate", "share_of_limit"),
            count("embed_reduced", "twinloom")
        ),
        (4, 2, 1)
    );
    assert!(rows.iter().all(|row| row["agrees"] != false), "{words}");
}
