//! Commands for people, and the service.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::Stdio,
};

use serde_json::{Value, json};

use super::support::torch;

#[test]
fn info_tells_of_devices_and_quiet_threads() {
    let out = torch().args(["info", "--json"]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let info: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(
        info["openmp_wait"], "PASSIVE",
        "set although the environment did not have it"
    );
    assert!(info["threads"].as_u64().unwrap() >= 1);
    assert!(info["cuda"].is_boolean());
    assert_eq!(info["cublas_workspace"], ":4096:8");

    // One variable that is set does not keep the others away, and stays as it is.
    let out = torch()
        .args(["info", "--json"])
        .env("OMP_WAIT_POLICY", "ACTIVE")
        .env_remove("CUBLAS_WORKSPACE_CONFIG")
        .output()
        .unwrap();
    let info: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(
        (&info["openmp_wait"], &info["cublas_workspace"]),
        (&json!("ACTIVE"), &json!(":4096:8"))
    );

    let version = torch().arg("--version").output().unwrap();
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("twinloom-torch "));
}

#[test]
fn why_cuda_does_not_work_is_told_wherever_it_was_asked_for() {
    let empty = tempfile::tempdir().unwrap();
    std::fs::write(empty.path().join("libtorch_cuda.so"), "no library").unwrap();
    let with = |arguments: &[&str]| {
        let mut command = torch();
        command.args(arguments).env("TWINLOOM_CUDA", empty.path());
        command.output().unwrap()
    };
    let asked = with(&["serve", "--device", "cuda"]);
    let words = String::from_utf8_lossy(&asked.stderr);
    assert!(!asked.status.success());
    assert!(
        words.contains("error[model.input]: `cuda` was asked for")
            && words.contains("libtorch_cuda.so cannot be loaded"),
        "{words}"
    );
    // Where the CPU will do, it is a warning: of the service, and of a task.
    for arguments in [&["serve"][..], &[]] {
        let out = with(arguments);
        let words = String::from_utf8_lossy(&out.stderr);
        assert!(
            words.contains("WARN") && words.contains("cannot be loaded"),
            "{words}"
        );
    }
    let info: Value = serde_json::from_slice(&with(&["info", "--json"]).stdout).unwrap();
    assert!(
        info["cuda_problem"]
            .as_str()
            .unwrap()
            .contains("libtorch_cuda.so")
    );
}

#[test]
fn the_service_takes_its_options_from_the_environment_too() {
    for (name, value) in [
        ("TWINLOOM_DEVICE", "abacus"),
        ("TWINLOOM_BACKEND", "abacus"),
        ("TWINLOOM_CACHE_MIB", "much"),
        ("TWINLOOM_MODELS", "few"),
    ] {
        let out = torch().arg("serve").env(name, value).output().unwrap();
        let words = String::from_utf8_lossy(&out.stderr);
        assert!(!out.status.success() && words.contains(value), "{name}: {words}");
    }
    let named = |backend: &str| {
        torch()
            .arg("serve")
            .env("TWINLOOM_BACKEND", backend)
            .output()
            .unwrap()
    };
    assert!(named("libtorch").status.success());
}

#[test]
fn the_service_answers_line_by_line_and_ends_with_its_input() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny-llama");
    let mut service = torch()
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = service.stdin.take().unwrap();
    let mut replies = BufReader::new(service.stdout.take().unwrap()).lines();
    let mut ask = |request: Value| -> Value {
        writeln!(stdin, "{request}").unwrap();
        serde_json::from_str(&replies.next().unwrap().unwrap()).unwrap()
    };
    // The golden checkpoint has no tokenizer: the reply says so, and the service goes on.
    let reply = ask(json!({"id": 1, "op": "generate", "model": golden, "prompt": "x"}));
    assert_eq!(
        (&reply["id"], &reply["error"]["code"]),
        (&json!(1), &json!("model.file_missing"))
    );
    assert!(
        reply["error"]["message"]
            .as_str()
            .unwrap()
            .contains("tokenizer.json")
    );
    assert_eq!(
        ask(json!({"id": 2, "op": "nothing"}))["error"]["code"],
        "model.input"
    );
    drop(stdin);
    assert!(service.wait().unwrap().success());
}

#[test]
fn a_llama2c_checkpoint_is_converted_and_told_apart_from_other_files() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = dir.path().join("wrong.bin");
    std::fs::write(&wrong, "not a model").unwrap();
    let out = torch()
        .arg("convert-llama2c")
        .args([&wrong, &wrong, &dir.path().join("out")])
        .output()
        .unwrap();
    assert!(!out.status.success() && out.stdout.is_empty());
    let words = String::from_utf8_lossy(&out.stderr);
    assert!(
        words.contains("model.damaged") && words.contains("wrong.bin"),
        "{words}"
    );

    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let from = std::env::var_os("TWINLOOM_SHARED")
        .map_or(shared, Into::into)
        .join("data/stories260k");
    if !from.join("stories260K.bin").is_file() {
        let _ = writeln!(std::io::stderr(), "SKIP: no stories260k in {}", from.display());
        return;
    }
    let (weights, tokenizer) = (from.join("stories260K.bin"), from.join("tok512.bin"));
    let out = torch()
        .arg("convert-llama2c")
        .args([&weights, &tokenizer, &dir.path().join("out")])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    for name in [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ] {
        assert!(dir.path().join("out").join(name).is_file(), "{name}");
    }
}

#[test]
fn a_worker_without_a_task_says_who_starts_it() {
    let out = torch().output().unwrap();
    let message: Value =
        serde_json::from_slice(out.stdout.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    assert_eq!(
        (&message["type"], &message["code"]),
        (&json!("error"), &json!("protocol.task"))
    );
    assert!(!out.status.success());
}
