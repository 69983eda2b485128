//! Bases of other families, and what the operator says of a base that does not suit.

use std::path::Path;

use serde_json::{Value, json};
use tch::{Device, Kind};
use twinloom_sdk::{ArtifactId, ErrorKind};

use crate::{
    checkpoint::{Checkpoint, write_config, write_safetensors},
    nn::{Adapter, Architecture, Decoder},
    testing::{Bench, instruct},
};

/// A random model of a config.json, with the tokenizer that has a token for each byte.
pub fn write(dir: &Path, config: &Value) {
    let architecture = Architecture::from_config(config, Path::new("config.json")).unwrap();
    let model = Decoder::random(architecture, 1, Device::Cpu).unwrap();
    write_safetensors(&dir.join("model.safetensors"), &model.checkpoint_weights()).unwrap();
    write_config(&dir.join("config.json"), config).unwrap();
    let bytes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bytes");
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(bytes.join(name), dir.join(name)).unwrap();
    }
}

fn gpt2() -> Value {
    json!({"model_type": "gpt2", "vocab_size": 256, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 4})
}

pub async fn rows(bench: &Bench) -> ArtifactId {
    let rows: Vec<_> = (0..20)
        .map(|n| {
            (
                format!("d{n}"),
                format!("Note {}", n % 3),
                "abc abc abc abc".to_owned(),
                n % 5 == 0,
            )
        })
        .collect();
    bench
        .dataset("instruct", &["document_id", "sample"], instruct(&rows))
        .await
}

pub fn lora(dir: &Path, keys: &Value) -> Value {
    let mut config = json!({"method": "lora", "base_path": dir, "steps": 20, "batch": 4, "rank": 4,
        "learning_rate": 0.02, "context": 48});
    let own = config.as_object_mut().unwrap();
    own.extend(keys.as_object().unwrap().clone());
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn gpt2_gets_adapters_as_peft_names_its_layers() {
    let mut bench = Bench::new().await;
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &gpt2());
    let rows = rows(&bench).await;
    for (name, keys, targets, layers) in [
        ("all", json!({}), json!(["c_attn", "c_fc", "c_proj"]), 8),
        (
            "some",
            json!({"targets": ["mlp.c_proj"], "method": "dora"}),
            json!(["mlp.c_proj"]),
            2,
        ),
    ] {
        let config = lora(dir.path(), &keys);
        let done = bench.run("train", config, &[("instruct", &rows)]).await.unwrap();
        let number = |name: &str| done.metrics[name].as_f64().unwrap();
        assert!(
            number("eval_loss") < 0.95 * number("eval_loss_before"),
            "{:?}",
            done.metrics
        );
        let out = bench.checkout(&done.outputs["model"].id, name).await;
        let config: Value =
            serde_json::from_slice(&std::fs::read(out.join("adapter_config.json")).unwrap()).unwrap();
        assert_eq!(
            (&config["target_modules"], &config["fan_in_fan_out"]),
            (&targets, &json!(true))
        );
        let adapter = Adapter::load(&out, Device::Cpu).unwrap();
        assert_eq!(adapter.names().len(), layers);
        let points = bench.curve("utilisation");
        assert!(!points.is_empty() && points.iter().all(|(_, share)| *share > 0.0));
        let (a, b) = adapter.factors("transformer.h.0.mlp.c_proj").unwrap();
        assert_eq!((a.size(), b.size()), (vec![4, 128], vec![32, 4]));
        let mut base =
            Decoder::load(&Checkpoint::open(dir.path()).unwrap(), Device::Cpu, Kind::Float).unwrap();
        base.attach(&adapter).unwrap();
    }
    let foreign = lora(dir.path(), &json!({"targets": ["q_proj"]}));
    let error = bench
        .run("train", foreign, &[("instruct", &rows)])
        .await
        .unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.kind),
        ("model.input", ErrorKind::Config)
    );
    assert!(error.hint.contains("c_attn, c_fc, c_proj"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_an_embedding_is_named_before_anything_is_trained() {
    let mut bench = Bench::new().await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = gpt2();
    // Bytes up to `a`: `b` is 98.
    config["vocab_size"] = json!(98);
    write(dir.path(), &config);
    let rows = rows(&bench).await;
    let inputs = [("instruct", &rows)];
    let error = bench
        .run("train", lora(dir.path(), &json!({})), &inputs)
        .await
        .unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.kind),
        ("model.input", ErrorKind::Config)
    );
    assert!(
        error.message.contains("embeddings for 98") && error.hint.contains("tokenizer.json"),
        "{error}"
    );

    let model = crate::generate::TextModel::load(dir.path(), Device::Cpu, None).unwrap();
    let item = serde_json::from_value(json!({"prompt": "a", "choices": ["b"], "answer": 0})).unwrap();
    let never = || Ok(());
    let error = crate::evaluate::ability::answers(&model, &[item], dir.path(), never).unwrap_err();
    assert!(error.message.contains("embeddings for 98"), "{error}");
}

#[test]
fn a_net_without_a_gate_has_two_products() {
    let model = |config: &Value| {
        let architecture = Architecture::from_config(config, Path::new("config.json")).unwrap();
        crate::train::fit::products_per_token(&Decoder::random(architecture, 1, Device::Cpu).unwrap())
    };
    // Query, key, value and output; up and down; the output layer.
    let expected = 2 * (4 * 32 * 32 + 2 * 32 * 128) + 256 * 32;
    assert!((model(&gpt2()) - f64::from(expected)).abs() < 0.5);
    let llama = json!({"model_type": "llama", "vocab_size": 256, "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2});
    let expected = 2 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 32 * 48) + 256 * 32;
    assert!((model(&llama) - f64::from(expected)).abs() < 0.5);
}
