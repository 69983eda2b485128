//! Decoders against the numbers of transformers and PEFT (`infra/golden/llama.py`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod families;

use std::path::{Path, PathBuf};

use tch::{Device, Kind, Tensor};

use super::{Adapter, AdapterConfig, Architecture, Attend, Decoder, KvCache, Step};
use crate::checkpoint::Checkpoint;

pub fn golden_dir() -> PathBuf {
    crate::testing::golden("tiny-llama")
}

/// The numbers of a folder.
struct Golden {
    dir: PathBuf,
    file: Checkpoint,
}

impl Golden {
    fn open() -> Self {
        Self::of(&golden_dir())
    }

    fn of(dir: &Path) -> Self {
        let file = Checkpoint::open_files(dir, &[dir.join("golden.safetensors")]).unwrap();
        Self {
            dir: dir.to_owned(),
            file,
        }
    }

    fn get(&self, name: &str) -> Tensor {
        self.file
            .tensor(name, self.file.shape(name).unwrap(), Device::Cpu, Kind::Float)
            .unwrap()
    }

    fn ids(&self) -> Tensor {
        self.get("ids").to_kind(Kind::Int64)
    }
}

fn model() -> Decoder {
    Decoder::load(
        &Checkpoint::open(&golden_dir()).unwrap(),
        Device::Cpu,
        Kind::Float,
    )
    .unwrap()
}

fn max_difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a - b).abs().max().double_value(&[])
}

/// Positions of the left-padded batch, and what it may look at.
fn padded(golden: &Golden) -> (Tensor, Tensor) {
    let mask = golden.get("padded_mask").to_kind(Kind::Int64);
    let positions: Tensor = (mask.cumsum(-1, Kind::Int64) - 1).clamp_min(0);
    let length = mask.size()[1];
    let causal = Tensor::ones([length, length], (Kind::Bool, Device::Cpu)).tril(0);
    let attend = mask.to_kind(Kind::Bool).unsqueeze(1).unsqueeze(1);
    (positions, attend.logical_and(&causal))
}

fn loss(logits: &Tensor, ids: &Tensor) -> Tensor {
    let labels = ids.copy();
    let _ = labels.narrow(1, 0, 10).fill_(-100);
    let (seq, vocabulary) = (logits.size()[1], logits.size()[2]);
    let logits = logits.narrow(1, 0, seq - 1).reshape([-1, vocabulary]);
    logits.cross_entropy_loss(
        &labels.narrow(1, 1, seq - 1).reshape([-1]),
        None::<&Tensor>,
        tch::Reduction::Mean,
        -100,
        0.0,
    )
}

#[test]
fn logits_and_loss_equal_those_of_transformers() {
    let (golden, model) = (Golden::open(), model());
    let logits = tch::no_grad(|| model.forward(&golden.ids(), Step::default()).unwrap());
    assert!(max_difference(&logits.narrow(1, 20, 4), &golden.get("logits")) < 1e-4);
    assert!(
        (loss(&logits, &golden.ids()).double_value(&[]) - golden.get("loss").double_value(&[0])).abs() < 1e-5
    );
}

#[test]
fn left_padding_changes_nothing() {
    let (golden, model) = (Golden::open(), model());
    let (positions, attend) = padded(&golden);
    let step = Step {
        positions: Some(&positions),
        attend: Attend::Mask(&attend),
        cache: None,
    };
    let logits = tch::no_grad(|| model.forward(&golden.ids(), step).unwrap());
    assert!(max_difference(&logits.select(1, 23), &golden.get("padded_logits")) < 1e-4);
}

#[test]
fn greedy_tokens_equal_those_of_transformers_with_and_without_cache() {
    let (golden, model) = (Golden::open(), model());
    let expected = Vec::<i64>::try_from(golden.get("greedy").to_kind(Kind::Int64)).unwrap();
    let prompt = golden.ids().narrow(0, 0, 1).narrow(1, 0, 8);
    let _guard = tch::no_grad_guard();
    for cached in [true, false] {
        let mut cache = KvCache::new(0);
        let (mut tokens, mut step, mut found) = (prompt.shallow_clone(), prompt.shallow_clone(), Vec::new());
        for _ in 0..expected.len() {
            let input = if cached { &step } else { &tokens };
            let logits = model
                .forward(
                    input,
                    Step {
                        cache: cached.then_some(&mut cache),
                        ..Step::default()
                    },
                )
                .unwrap();
            step = logits.select(1, -1).argmax(-1, true);
            found.push(step.int64_value(&[0, 0]));
            tokens = Tensor::cat(&[&tokens, &step], 1);
        }
        assert_eq!(found, expected, "cached: {cached}");
    }
}

#[test]
fn a_prompt_read_in_pieces_gives_the_same_logits() {
    let (golden, model) = (Golden::open(), model());
    let _guard = tch::no_grad_guard();
    let whole = model.forward(&golden.ids(), Step::default()).unwrap();
    let mut cache = KvCache::new(0);
    let mut pieces = Vec::new();
    for (start, length) in [(0, 7), (7, 1), (8, 16)] {
        let ids = golden.ids().narrow(1, start, length);
        pieces.push(
            model
                .forward(
                    &ids,
                    Step {
                        cache: Some(&mut cache),
                        ..Step::default()
                    },
                )
                .unwrap(),
        );
    }
    assert!(max_difference(&whole, &Tensor::cat(&pieces, 1)) < 1e-5);
    assert_eq!(cache.len(), 24);
}

#[test]
fn an_adapter_gives_peft_s_logits_loss_and_gradients() {
    let (golden, mut model) = (Golden::open(), model());
    let adapter = Adapter::load(&golden_dir().join("adapter"), Device::Cpu).unwrap();
    adapter
        .weights()
        .iter()
        .for_each(|weight| drop(weight.set_requires_grad(true)));
    model.attach(&adapter).unwrap();
    let logits = model.forward(&golden.ids(), Step::default()).unwrap();
    assert!(max_difference(&logits.narrow(1, 22, 2), &golden.get("lora_logits")) < 1e-4);
    let loss = loss(&logits, &golden.ids());
    assert!((loss.double_value(&[]) - golden.get("lora_loss").double_value(&[0])).abs() < 1e-5);
    loss.backward();
    for name in adapter.names() {
        let (a, b) = adapter.factors(name).unwrap();
        for (factor, part) in [(a, "lora_A"), (b, "lora_B")] {
            let expected = golden.get(&format!("grad.base_model.model.{name}.{part}.weight"));
            let relative = max_difference(&factor.grad(), &expected) / expected.abs().max().double_value(&[]);
            assert!(relative < 1e-4, "{name} {part}: {relative}");
        }
    }
    assert!(
        model
            .named_weights()
            .iter()
            .all(|(_, weight)| !weight.requires_grad()),
        "the base is frozen"
    );

    model.detach();
    let base = tch::no_grad(|| model.forward(&golden.ids(), Step::default()).unwrap());
    assert!(max_difference(&base.narrow(1, 20, 4), &golden.get("logits")) < 1e-4);
}

#[test]
fn an_adapter_survives_being_written_and_read() {
    let model = model();
    let config = AdapterConfig {
        r: 4,
        lora_alpha: 8.0,
        target_modules: ["q_proj", "up_proj"].map(str::to_owned).into(),
        base_model_name_or_path: Some("tiny".to_owned()),
        revision: Some("0123abcd".to_owned()),
        ..AdapterConfig::default()
    };
    let adapter = Adapter::new(&model, config, 3).unwrap();
    assert_eq!(adapter.names().len(), 4);
    let dir = tempfile::tempdir().unwrap();
    adapter.save(dir.path()).unwrap();
    let again = Adapter::load(dir.path(), Device::Cpu).unwrap();
    assert_eq!(again.config(), adapter.config());
    for (a, b) in adapter.weights().iter().zip(again.weights()) {
        assert_eq!(max_difference(a, &b), 0.0);
    }
    let first = std::fs::read(dir.path().join("adapter_model.safetensors")).unwrap();
    again.save(dir.path()).unwrap();
    assert_eq!(
        first,
        std::fs::read(dir.path().join("adapter_model.safetensors")).unwrap()
    );
}

#[test]
fn adapters_that_do_not_suit_are_refused() {
    let mut model = model();
    let config = |r, target: &str| AdapterConfig {
        r,
        lora_alpha: 8.0,
        target_modules: [target.to_owned()].into(),
        ..AdapterConfig::default()
    };
    assert_eq!(
        Adapter::new(&model, config(0, "q_proj"), 1).unwrap_err().code(),
        "model.input"
    );
    assert!(
        Adapter::new(&model, config(4, "query"), 1)
            .unwrap_err()
            .hint()
            .contains("q_proj")
    );

    let smaller = Architecture {
        hidden: 32,
        heads: 2,
        head_dim: 16,
        ..model.architecture().clone()
    };
    let smaller = Decoder::random(smaller, 1, Device::Cpu).unwrap();
    let other = Adapter::new(&smaller, config(4, "q_proj"), 1).unwrap();
    assert_eq!(model.attach(&other).unwrap_err().code(), "model.input");

    let deeper = Architecture {
        layers: 3,
        ..model.architecture().clone()
    };
    let deeper = Adapter::new(
        &Decoder::random(deeper, 1, Device::Cpu).unwrap(),
        config(4, "q_proj"),
        1,
    )
    .unwrap();
    assert!(
        model
            .attach(&deeper)
            .unwrap_err()
            .to_string()
            .contains("model.layers.2.self_attn.q_proj")
    );
}

#[test]
fn random_models_repeat_by_seed_and_hold_every_weight() {
    let architecture = model().architecture().clone();
    let build = |seed| Decoder::random(architecture.clone(), seed, Device::Cpu).unwrap();
    let (a, b, c) = (build(5), build(5), build(6));
    let sum = |model: &Decoder| {
        model
            .named_weights()
            .iter()
            .map(|(_, w)| w.abs().sum(Kind::Double).double_value(&[]))
            .sum::<f64>()
    };
    assert_eq!(sum(&a), sum(&b));
    assert_ne!(sum(&a), sum(&c));
    let mut names: Vec<_> = a.named_weights().into_iter().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(
        names,
        Checkpoint::open(&golden_dir())
            .unwrap()
            .names()
            .collect::<Vec<_>>()
    );
}

#[test]
fn configurations_that_cannot_be_are_refused() {
    let good: serde_json::Value =
        serde_json::from_slice(&std::fs::read(golden_dir().join("config.json")).unwrap()).unwrap();
    let cases = [
        ("model_type", serde_json::json!("mamba"), "mamba"),
        ("num_key_value_heads", serde_json::json!(3), "share"),
        ("num_hidden_layers", serde_json::json!(0), "num_hidden_layers"),
        ("vocab_size", serde_json::json!(9_000_000_000_u64), "vocab_size"),
        ("hidden_size", serde_json::json!("many"), "invalid type"),
        ("head_dim", serde_json::json!(7), "odd"),
        ("hidden_act", serde_json::json!("relu"), "relu"),
        (
            "rope_parameters",
            serde_json::json!({"rope_type": "longrope", "factor": 4.0}),
            "longrope",
        ),
        (
            "rope_parameters",
            serde_json::json!({"rope_type": "yarn", "factor": -4.0}),
            "positive",
        ),
        (
            "rope_parameters",
            serde_json::json!({"rope_type": "llama3", "factor": 4.0}),
            "low_freq_factor",
        ),
        ("num_attention_heads", serde_json::json!(0), "num_attention_heads"),
    ];
    for (key, value, expected) in cases {
        let mut config = good.clone();
        config[key] = value;
        if key == "num_attention_heads" {
            config.as_object_mut().unwrap().remove("head_dim");
        }
        let error = Architecture::from_config(&config, Path::new("config.json")).unwrap_err();
        assert_eq!(error.code(), "model.config");
        assert!(error.to_string().contains(expected), "{key}: {error}");
    }
}
