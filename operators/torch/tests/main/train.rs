//! `train` as the scheduler runs it, in a process with less memory than it would take.

use std::{collections::BTreeMap, path::Path, process::Command, sync::Arc};

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray, new_null_array};
use serde_json::{Value, json};
use tch::Device;
use twinloom_sdk::{ErrorKind, Message, OutputTarget, TaskDocument, records};
use twinloom_store::{ArtifactKind, Name};
use twinloom_torch::{
    checkpoint::{write_config, write_safetensors},
    nn::{Architecture, Decoder},
};

use super::support::{Bench, Said};

/// Private memory of the worker, in KiB: enough for a part of a batch, not for all of it.
const LIMIT: u64 = 800_000;

/// A narrow and deep model, which takes much memory for little work.
fn base(dir: &Path) {
    let architecture = Architecture {
        vocabulary: 256,
        hidden: 64,
        intermediate: 256,
        layers: 12,
        heads: 4,
        kv_heads: 4,
        head_dim: 16,
        max_positions: 512,
        tied: true,
        ..Architecture::default()
    };
    let model = Decoder::random(architecture, 1, Device::Cpu).unwrap();
    write_safetensors(&dir.join("model.safetensors"), &model.named_weights()).unwrap();
    let config = json!({"model_type": "llama", "vocab_size": 256, "hidden_size": 64, "intermediate_size": 256,
        "num_hidden_layers": 12, "num_attention_heads": 4, "max_position_embeddings": 512, "tie_word_embeddings": true});
    write_config(&dir.join("config.json"), &config).unwrap();
    let bytes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bytes");
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(bytes.join(name), dir.join(name)).unwrap();
    }
}

/// Long answers, one in nine held out.
fn rows() -> RecordBatch {
    const ROWS: i32 = 36;
    let schema = records::instruct();
    let column = |field: &Arc<arrow::datatypes::Field>| -> ArrayRef {
        let text = |of: fn(i32) -> String| -> ArrayRef {
            Arc::new((0..ROWS).map(|n| Some(of(n))).collect::<StringArray>())
        };
        match field.name().as_str() {
            "sample" => Arc::new((0..ROWS).collect::<Int32Array>()),
            "author" => new_null_array(field.data_type(), ROWS as usize),
            "answer" => text(|n| format!("The letter number {n} says so again. ").repeat(14)),
            "split" => text(|n| if n % 9 == 0 { "eval" } else { "train" }.to_owned()),
            _ => text(|n| format!("d{n}")),
        }
    };
    let columns = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(schema, columns).unwrap()
}

async fn run(bench: &Bench, task: &TaskDocument, limited: bool) -> Said {
    let mut worker = Command::new("sh");
    let limit = if limited {
        format!("ulimit -d {LIMIT}; ")
    } else {
        String::new()
    };
    worker
        .args([
            "-c",
            &format!("{limit}exec \"$0\""),
            env!("CARGO_BIN_EXE_twinloom-torch"),
        ])
        .envs([("TOKIO_WORKER_THREADS", "2"), ("RAYON_NUM_THREADS", "2")]);
    bench.run_in(worker, task).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_memory_is_told_with_what_would_fit_and_auto_finds_it() {
    let bench = Bench::new().await;
    let dir = tempfile::tempdir().unwrap();
    base(dir.path());
    let rows = bench
        .publish("instruct", rows(), &["document_id", "sample"])
        .await;
    let task = |micro_batch: Value| {
        let config = json!({"method": "lora", "base_path": dir.path(), "rank": 2, "steps": 1, "batch": 32, "context": 512,
            "eval_rows": 2, "micro_batch": micro_batch});
        let mut task = bench.task("train", &rows, config);
        let target = OutputTarget {
            kind: ArtifactKind::Model,
            name: Name::new("tuned").unwrap(),
        };
        task.inputs = BTreeMap::from([("instruct".to_owned(), task.inputs["chunks"].clone())])
            .into_iter()
            .collect();
        task.outputs = [("model".to_owned(), target)].into_iter().collect();
        task
    };
    let refused = run(&bench, &task(json!("all")), true).await;
    let error = refused.error();
    assert_eq!(
        (error.code.as_str(), error.kind),
        ("train.out_of_memory", ErrorKind::Config),
        "{error}"
    );
    assert!(
        error.message.starts_with("32 sequences") && error.hint.contains("micro_batch: 16"),
        "{error}"
    );

    let found = run(&bench, &task(json!("auto")), true).await;
    let halved = |message: &Message| matches!(message, Message::Log { message, .. } if message.contains("micro_batch"));
    assert!(
        found.success && found.messages.iter().any(halved),
        "{:?}",
        found.messages
    );
    let free = run(&bench, &task(json!("all")), false).await;
    let loss = |said: &Said| said.metrics()["eval_loss"].as_f64().unwrap();
    assert!(
        (loss(&found) - loss(&free)).abs() < 1e-4,
        "{} {}",
        loss(&found),
        loss(&free)
    );
}
