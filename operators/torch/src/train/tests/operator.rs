//! The operator on a store: from documents to a base, from a base to an adapter.

use std::path::Path;

use serde_json::{Value, json};
use tch::{Device, Kind};
use twinloom_sdk::{ArtifactId, ErrorKind};

use crate::{
    checkpoint::Checkpoint,
    nn::{Adapter, Decoder},
    testing::{Bench, Published, documents, instruct, preferences},
};

const SUBJECTS: [&str; 6] = [
    "the river",
    "a garden",
    "the workshop",
    "an old map",
    "the kitchen",
    "a winter morning",
];

fn sentence(n: usize) -> String {
    let subject = SUBJECTS[n % SUBJECTS.len()];
    format!(
        "I wrote about {subject} in the year {}, and {subject} wrote back to me slowly.",
        1900 + n % 50
    )
}

/// Documents of some sentences each.
async fn texts(bench: &Bench) -> ArtifactId {
    let rows: Vec<_> = (0..40)
        .map(|n| {
            (
                format!("d{n}"),
                Some(format!("Essay {n}")),
                (0..6).map(|k| sentence(n * 7 + k)).collect::<Vec<_>>().join("\n"),
            )
        })
        .collect();
    bench
        .dataset("cleaned_documents", &["id"], documents(&rows))
        .await
}

fn instructions() -> Vec<(String, String, String, bool)> {
    (0..40)
        .map(|n| {
            (
                format!("d{n}"),
                format!("Write on {}", SUBJECTS[n % 6]),
                sentence(n * 7).to_uppercase(),
                n % 5 == 0,
            )
        })
        .collect()
}

async fn rows(bench: &Bench) -> ArtifactId {
    bench
        .dataset("instruct", &["document_id", "sample"], instruct(&instructions()))
        .await
}

/// For `infra/golden/parity.sh`, which has PEFT look at it: base, adapter, held-out rows and their loss.
fn keep(base: &Path, adapter: &Path, loss: f64) {
    let Some(to) = std::env::var_os("TWINLOOM_ADAPTED").map(std::path::PathBuf::from) else {
        return;
    };
    for (name, from) in [("base", base), ("adapter", adapter)] {
        std::fs::create_dir_all(to.join(name)).unwrap();
        for file in std::fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.join(name).join(file.file_name())).unwrap();
        }
    }
    let held = instructions().into_iter().filter(|(_, _, _, held)| *held);
    let lines: Vec<String> = held
        .map(|(_, instruction, answer, _)| json!({"instruction": instruction, "answer": answer}).to_string())
        .collect();
    std::fs::write(to.join("rows.jsonl"), lines.join("\n")).unwrap();
    std::fs::write(to.join("loss"), loss.to_string()).unwrap();
}

async fn base(bench: &mut Bench) -> (ArtifactId, ArtifactId) {
    let input = texts(bench).await;
    let tokenizer = bench
        .run("tokenizer", json!({"vocab_size": 512}), &[("documents", &input)])
        .await
        .unwrap();
    let tokenizer = tokenizer.outputs["tokenizer"].clone();
    let config = json!({"method": "pretrain", "size": "tiny", "context": 32, "batch": 8, "steps": 40, "learning_rate": 0.01, "eval_every": 20});
    let inputs = [("documents", &input), ("tokenizer", &tokenizer)];
    let done = bench.run("train", config, &inputs).await.unwrap();
    let (first, last) = (&done.metrics["train_loss_first"], &done.metrics["train_loss"]);
    assert!(
        last.as_f64().unwrap() < 0.6 * first.as_f64().unwrap(),
        "{first} {last}"
    );
    assert!(done.metrics["eval_loss"].as_f64().unwrap() < done.metrics["eval_loss_before"].as_f64().unwrap());
    assert_eq!(
        bench
            .curve("eval_loss")
            .iter()
            .map(|(step, _)| *step)
            .collect::<Vec<_>>(),
        [0, 20, 40]
    );
    (done.outputs["model"].clone(), input)
}

fn lora() -> Value {
    json!({"method": "lora", "steps": 25, "batch": 4, "accumulate": 2, "rank": 4, "learning_rate": 0.01, "context": 96, "eval_every": 10})
}

/// `lora()` with other keys.
fn with(keys: Value) -> Value {
    let mut config = lora();
    let own = config.as_object_mut().unwrap();
    own.extend(keys.as_object().unwrap().clone());
    config
}

fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn decoder(dir: &Path, kind: Kind) -> Decoder {
    Decoder::load(&Checkpoint::open(dir).unwrap(), Device::Cpu, kind).unwrap()
}

/// The held-out loss before and after.
fn learned(done: &Published) -> (f64, f64) {
    let number = |name: &str| done.metrics[name].as_f64().unwrap();
    (number("eval_loss_before"), number("eval_loss"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_is_trained_and_an_adapter_on_it_twice_the_same() {
    let mut bench = Bench::new().await;
    let (base, documents) = base(&mut bench).await;
    let dir = bench.checkout(&base.id, "base").await;
    for name in [
        "config.json",
        "model.safetensors",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "README.md",
    ] {
        assert!(dir.join(name).is_file(), "{name}");
    }
    let card = std::fs::read_to_string(dir.join("README.md")).unwrap();
    assert!(
        card.contains(&documents.id.to_string()) && card.contains(&documents.id.hash),
        "{card}"
    );

    let instruct = rows(&bench).await;
    let inputs = [("instruct", &instruct), ("base", &base)];
    let done = bench.run("train", lora(), &inputs).await.unwrap();
    let (before, after) = (&done.metrics["eval_loss_before"], &done.metrics["eval_loss"]);
    assert!(
        after.as_f64().unwrap() < 0.8 * before.as_f64().unwrap(),
        "{before} {after}"
    );
    let manifest = bench.store.model_exact(&done.outputs["model"].id).await.unwrap();
    assert_eq!(manifest.data.base, Some(base.id.clone()));
    assert!(manifest.data.inputs.iter().any(|input| input.id == instruct.id));
    let adapter = bench.checkout(&manifest.id(), "adapter").await;
    let config: Value =
        serde_json::from_slice(&std::fs::read(adapter.join("adapter_config.json")).unwrap()).unwrap();
    assert_eq!((&config["peft_type"], &config["r"]), (&json!("LORA"), &json!(4)));
    assert_eq!(config["base_model_name_or_path"], json!(base.id.to_string()));
    assert!(adapter.join("tokenizer.json").is_file() && adapter.join("README.md").is_file());

    keep(&dir, &adapter, after.as_f64().unwrap());

    let again = bench.run("train", lora(), &inputs).await.unwrap();
    assert_eq!(
        again.outputs["model"], done.outputs["model"],
        "bit for bit, so the registry has one version"
    );
    let mut other = lora();
    other["seed"] = json!(1);
    let other = bench.run("train", other, &inputs).await.unwrap();
    assert_ne!(other.outputs["model"].id.hash, done.outputs["model"].id.hash);

    let refused = bench
        .run(
            "train",
            lora(),
            &[("instruct", &instruct), ("base", &done.outputs["model"])],
        )
        .await
        .unwrap_err();
    assert_eq!(refused.code, "train.base_is_adapter");
    let mut wild = lora();
    wild["learning_rate"] = json!(1.0);
    wild["clip_norm"] = json!(0.0);
    wild["steps"] = json!(200);
    wild["warmup"] = json!(0.0);
    if let Err(error) = bench.run("train", wild, &inputs).await {
        assert_eq!(
            (error.code.as_str(), error.kind),
            ("train.diverged", ErrorKind::Config)
        );
    }

    bench.cancelled.cancel();
    let cancelled = bench.run("train", lora(), &inputs).await.unwrap_err();
    assert_eq!(cancelled.code, "task.cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named() {
    let mut bench = Bench::new().await;
    let instruct_rows = rows(&bench).await;
    let without = bench
        .run("train", lora(), &[("instruct", &instruct_rows)])
        .await
        .unwrap_err();
    assert_eq!(without.code, "train.no_base");
    let mut at = lora();
    at["base_path"] = json!("/there/is/no/such/folder");
    let gone = bench
        .run("train", at, &[("instruct", &instruct_rows)])
        .await
        .unwrap_err();
    assert_eq!(
        (gone.code.as_str(), gone.kind),
        ("train.base_path", ErrorKind::Config)
    );
    let none = bench
        .run("train", json!({"method": "pretrain"}), &[])
        .await
        .unwrap_err();
    assert_eq!(none.code, "input.missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_bases_and_rows_without_a_held_out_side_are_refused() {
    let mut bench = Bench::new().await;
    let (base, _) = base(&mut bench).await;
    let instruct_rows = rows(&bench).await;
    let dir = bench.checkout(&base.id, "base").await;
    let copy = |name: &str| {
        let to = bench.dir.path().join(name);
        std::fs::create_dir_all(&to).unwrap();
        for file in std::fs::read_dir(&dir).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
        to
    };
    let (shape, cut) = (copy("shape"), copy("cut"));
    let mut config: Value =
        serde_json::from_slice(&std::fs::read(shape.join("config.json")).unwrap()).unwrap();
    config["intermediate_size"] = json!(200);
    std::fs::remove_file(shape.join("config.json")).unwrap();
    std::fs::write(shape.join("config.json"), config.to_string()).unwrap();
    let bytes = std::fs::read(cut.join("model.safetensors")).unwrap();
    std::fs::remove_file(cut.join("model.safetensors")).unwrap();
    std::fs::write(cut.join("model.safetensors"), &bytes[..bytes.len() / 2]).unwrap();
    for (folder, code) in [(&shape, "model.tensor_shape"), (&cut, "model.damaged")] {
        let mut at = lora();
        at["base_path"] = json!(folder.to_string_lossy());
        let error = bench
            .run("train", at, &[("instruct", &instruct_rows)])
            .await
            .unwrap_err();
        assert_eq!(error.code, code, "{error}");
    }

    let train_only: Vec<_> = (0..5)
        .map(|n| (format!("d{n}"), "Ask".to_owned(), sentence(n), false))
        .collect();
    let train_only = bench
        .dataset("only", &["document_id", "sample"], instruct(&train_only))
        .await;
    let error = bench
        .run("train", lora(), &[("instruct", &train_only), ("base", &base)])
        .await
        .unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.kind),
        ("train.no_held_out", ErrorKind::Data)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_adapter_is_trained_and_fits_its_base() {
    let mut bench = Bench::new().await;
    let (base, _) = base(&mut bench).await;
    let instruct_rows = rows(&bench).await;
    let pairs: Vec<_> = (0..40)
        .map(|n| {
            let prompt = format!("Write on {}, note {n}", SUBJECTS[n % 6]);
            (
                prompt,
                sentence(n * 7),
                sentence(n * 7).to_uppercase(),
                n % 5 == 0,
            )
        })
        .collect();
    let pairs = bench
        .dataset("preferences", &["prompt", "chosen"], preferences(&pairs))
        .await;
    let dense = bench.checkout(&base.id, "base").await;
    for (name, keys) in [
        ("rslora", json!({"method": "rslora"})),
        ("dora", json!({"method": "dora"})),
        ("nf4", json!({"method": "qlora", "optimizer": "adamw8bit"})),
        (
            "int4",
            json!({"method": "qlora", "quantization": "int4", "double_quantization": false,
                "gradient_checkpointing": true, "packing": true}),
        ),
        ("dpo", json!({"method": "dpo", "beta": 0.5})),
        (
            "dpo-small",
            json!({"method": "dpo", "beta": 0.5, "gradient_checkpointing": true, "packing": true, "micro_batch": 1}),
        ),
        (
            "qlora-dpo",
            json!({"method": "qlora", "preference": true, "beta": 0.5}),
        ),
        (
            "dora-dpo",
            json!({"method": "dora", "load_in_4bit": true, "preference": true, "beta": 0.5}),
        ),
    ] {
        let from = match name {
            _ if name.contains("dpo") => ("preferences", &pairs),
            _ => ("instruct", &instruct_rows),
        };
        let done = bench
            .run("train", with(keys), &[from, ("base", &base)])
            .await
            .unwrap();
        let (before, after) = learned(&done);
        assert!(after < 0.9 * before, "{name}: {before} {after}");
        if name.contains("dpo") {
            // Even odds: the base is compared with itself as it is held.
            assert!((before - 2_f64.ln()).abs() < 1e-3, "{name}: {before}");
        }
        let manifest = bench.store.model_exact(&done.outputs["model"].id).await.unwrap();
        assert_eq!(manifest.data.base, Some(base.id.clone()), "{name}");
        let dir = bench.checkout(&manifest.id(), name).await;
        let config = json_file(&dir.join("adapter_config.json"));
        assert_eq!(
            (&config["use_rslora"], &config["use_dora"]),
            (&json!(name == "rslora"), &json!(name.starts_with("dora")))
        );
        // What 4 bits were for is over: the adapter goes onto the base as it was.
        let adapter = Adapter::load(&dir, Device::Cpu).unwrap();
        decoder(&dense, Kind::Float).attach(&adapter).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_weights_are_trained_in_either_precision() {
    let mut bench = Bench::new().await;
    let (base, documents) = base(&mut bench).await;
    let instruct = rows(&bench).await;
    for (precision, kind, named) in [
        ("fp32", Kind::Float, "float32"),
        ("bf16", Kind::BFloat16, "bfloat16"),
    ] {
        let config = with(json!({"method": "full", "learning_rate": 0.003, "precision": precision}));
        let inputs = [("instruct", &instruct), ("base", &base)];
        let done = bench.run("train", config, &inputs).await.unwrap();
        let (before, after) = learned(&done);
        assert!(after < 0.8 * before, "{precision}: {before} {after}");
        let manifest = bench.store.model_exact(&done.outputs["model"].id).await.unwrap();
        assert_eq!(manifest.data.base, None, "it stands alone");
        let dir = bench.checkout(&manifest.id(), precision).await;
        assert_eq!(json_file(&dir.join("config.json"))["dtype"], json!(named));
        assert!(dir.join("tokenizer.json").is_file() && dir.join("generation_config.json").is_file());
        assert_eq!(decoder(&dir, kind).kind(), kind);
    }

    let tokenizer = bench
        .run(
            "tokenizer",
            json!({"vocab_size": 512}),
            &[("documents", &documents)],
        )
        .await
        .unwrap();
    let config = json!({"method": "pretrain", "size": "tiny", "context": 32, "steps": 30, "learning_rate": 0.01,
        "precision": "bf16"});
    let inputs = [
        ("documents", &documents),
        ("tokenizer", &tokenizer.outputs["tokenizer"]),
    ];
    let done = bench.run("train", config, &inputs).await.unwrap();
    let (before, after) = learned(&done);
    assert!(after < 0.8 * before, "{before} {after}");
    let dir = bench.checkout(&done.outputs["model"].id, "nano").await;
    assert_eq!(
        json_file(&dir.join("config.json"))["torch_dtype"],
        json!("bfloat16")
    );
    assert_eq!(
        Checkpoint::open(&dir)
            .unwrap()
            .raw("model.norm.weight", Device::Cpu)
            .unwrap()
            .kind(),
        Kind::BFloat16
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_batch_give_what_the_batch_gives() {
    let mut bench = Bench::new().await;
    let (base, _) = base(&mut bench).await;
    let instruct = rows(&bench).await;
    let mut trained = Vec::new();
    for (name, parts) in [
        ("whole", json!("all")),
        ("auto", json!("auto")),
        ("one", json!(1)),
    ] {
        let inputs = [("instruct", &instruct), ("base", &base)];
        let done = bench
            .run("train", with(json!({"micro_batch": parts})), &inputs)
            .await
            .unwrap();
        let dir = bench.checkout(&done.outputs["model"].id, name).await;
        let weights = std::fs::read(dir.join("adapter_model.safetensors")).unwrap();
        trained.push((learned(&done).1, weights));
    }
    assert_eq!(trained[1].1, trained[0].1, "there is memory enough");
    assert!(
        (trained[2].0 - trained[0].0).abs() < 1e-3,
        "{} {}",
        trained[2].0,
        trained[0].0
    );
}
