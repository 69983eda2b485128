//! Every family against the numbers of transformers and PEFT (`infra/golden/families.py`).

use tch::{Device, Kind, Tensor};

use super::{Golden, loss, max_difference, padded};
use crate::{
    checkpoint::Checkpoint,
    nn::{Adapter, Attend, Decoder, KvCache, Step},
};

/// Texts there have so many tokens; windows are of 16.
const LENGTH: i64 = 48;

fn load(name: &str) -> (Golden, Decoder) {
    let dir = crate::testing::golden("families").join(name);
    let checkpoint = Checkpoint::open(&dir).unwrap();
    let decoder = Decoder::load(&checkpoint, Device::Cpu, Kind::Float).unwrap();
    (Golden::of(&dir), decoder)
}

fn parity(name: &str) {
    let (golden, mut model) = load(name);
    let ids = golden.ids();
    let logits = tch::no_grad(|| model.forward(&ids, Step::default()).unwrap());
    let wanted = Tensor::from_slice(&[12_i64, 24, 36]);
    let of_logits = max_difference(&logits.index_select(1, &wanted), &golden.get("logits"));
    let of_loss = (loss(&logits, &ids).double_value(&[]) - golden.get("loss").double_value(&[0])).abs();

    let (positions, mask) = padded(&golden);
    let step = Step {
        positions: Some(&positions),
        attend: Attend::Mask(&mask),
        cache: None,
    };
    let logits = tch::no_grad(|| model.forward(&ids, step).unwrap());
    let of_padded = max_difference(&logits.select(1, LENGTH - 1), &golden.get("padded_logits"));

    let adapter = Adapter::load(&golden.dir.join("adapter"), Device::Cpu).unwrap();
    adapter
        .weights()
        .iter()
        .for_each(|weight| drop(weight.set_requires_grad(true)));
    model.attach(&adapter).unwrap();
    let logits = model.forward(&ids, Step::default()).unwrap();
    let of_lora = max_difference(&logits.narrow(1, LENGTH - 2, 2), &golden.get("lora_logits"));
    let lora_loss = loss(&logits, &ids);
    let of_lora_loss = (lora_loss.double_value(&[]) - golden.get("lora_loss").double_value(&[0])).abs();
    lora_loss.backward();
    let mut of_gradients = 0_f64;
    for layer in adapter.names() {
        let (a, b) = adapter.factors(layer).unwrap();
        for (factor, part) in [(a, "lora_A"), (b, "lora_B")] {
            let expected = golden.get(&format!("grad.base_model.model.{layer}.{part}.weight"));
            let relative = max_difference(&factor.grad(), &expected) / expected.abs().max().double_value(&[]);
            of_gradients = of_gradients.max(relative);
        }
    }
    eprintln!(
        "{name}: logits {of_logits:.1e}, padded {of_padded:.1e}, loss {of_loss:.1e}, LoRA logits {of_lora:.1e}, \
         loss {of_lora_loss:.1e}, gradients {of_gradients:.1e}"
    );
    assert!(of_logits < 1e-4 && of_padded < 1e-4 && of_lora < 1e-4, "{name}");
    assert!(of_loss < 1e-5 && of_lora_loss < 1e-5, "{name}");
    assert!(of_gradients < 1e-4, "{name}");
    model.detach();
    greedy(name, &golden, &model);
    pieces(name, &golden, &model);
}

/// 64 tokens after 8, with the cache and without.
fn greedy(name: &str, golden: &Golden, model: &Decoder) {
    let prompt = golden.ids().narrow(0, 0, 1).narrow(1, 0, 8);
    let _guard = tch::no_grad_guard();
    for (key, cached) in [("greedy", true), ("greedy_uncached", false)] {
        let expected = Vec::<i64>::try_from(golden.get(key).to_kind(Kind::Int64)).unwrap();
        let mut cache = KvCache::new(0);
        let (mut tokens, mut last, mut found) = (prompt.shallow_clone(), prompt.shallow_clone(), Vec::new());
        for _ in 0..expected.len() {
            let input = if cached { &last } else { &tokens };
            let step = Step {
                cache: cached.then_some(&mut cache),
                ..Step::default()
            };
            let hidden = model.hidden(input, step).unwrap();
            last = model.logits(&hidden.select(1, -1)).unwrap().argmax(-1, true);
            found.push(last.int64_value(&[0, 0]));
            tokens = Tensor::cat(&[&tokens, &last], 1);
        }
        assert_eq!(found, expected, "{name}, cached: {cached}");
    }
}

/// A text read in pieces gives what it gives whole: by the cache's order, by a mask, and by slots.
fn pieces(name: &str, golden: &Golden, model: &Decoder) {
    if name == "llama-dynamic" {
        // Its rotation depends on how much was read; the greedy tokens above hold it.
        return;
    }
    let _guard = tch::no_grad_guard();
    let ids = golden.ids();
    let whole = model.forward(&ids, Step::default()).unwrap();
    for how in ["causal", "mask", "slots"] {
        let mut cache = KvCache::new(0);
        let mut parts = Vec::new();
        for (start, length) in [(0, 7), (7, 1), (8, 13), (21, 1), (22, 1), (23, 25)] {
            let total = start + length;
            let mask = Tensor::ones([length, total], (Kind::Bool, Device::Cpu)).tril(start);
            let slots = Tensor::arange_start(start, total, (Kind::Int64, Device::Cpu)).repeat([2, 1]);
            let attend = match how {
                "causal" => Attend::Causal,
                "mask" => Attend::Mask(&mask),
                _ => Attend::Slots { slots: &slots, total },
            };
            let step = Step {
                cache: Some(&mut cache),
                attend,
                positions: None,
            };
            parts.push(model.forward(&ids.narrow(1, start, length), step).unwrap());
        }
        let difference = max_difference(&whole, &Tensor::cat(&parts, 1));
        assert!(difference < 1e-4, "{name}, {how}: {difference}");
    }
}

/// Two texts packed into one row, each blind to the other, give what they give alone.
#[test]
fn packed_texts_do_not_see_each_other_through_windows() {
    for name in ["mistral", "gemma2", "gpt2"] {
        let (golden, model) = load(name);
        let _guard = tch::no_grad_guard();
        let ids = golden.ids();
        let (first, second) = (
            ids.narrow(0, 0, 1).narrow(1, 0, 30),
            ids.narrow(0, 1, 1).narrow(1, 0, 18),
        );
        let alone = [&first, &second].map(|ids| model.forward(ids, Step::default()).unwrap());
        let range = |n| Tensor::arange(n, (Kind::Int64, Device::Cpu));
        let positions = Tensor::cat(&[range(30), range(18)], 0);
        let text = Tensor::cat(
            &[
                Tensor::zeros([30], (Kind::Int64, Device::Cpu)),
                Tensor::ones([18], (Kind::Int64, Device::Cpu)),
            ],
            0,
        );
        let mask = text
            .unsqueeze(0)
            .eq_tensor(&text.unsqueeze(1))
            .tril(0)
            .view([1, 1, 48, 48]);
        let step = Step {
            positions: Some(&positions),
            attend: Attend::Mask(&mask),
            cache: None,
        };
        let packed = model.forward(&Tensor::cat(&[&first, &second], 1), step).unwrap();
        let difference = max_difference(&packed, &Tensor::cat(&alone, 1));
        assert!(difference < 1e-4, "{name}: {difference}");
    }
}

/// A layer can be computed again from its input: what gradient checkpointing does.
#[test]
fn layers_run_one_by_one_give_the_hidden_states() {
    let (golden, model) = load("qwen2");
    let _guard = tch::no_grad_guard();
    let whole = model.hidden(&golden.ids(), Step::default()).unwrap();
    let (mut x, pass) = model.begin(&golden.ids(), None, Attend::Causal, 0).unwrap();
    for layer in model.layers() {
        let once = layer.forward(&x, &pass, None).unwrap();
        x = layer.forward(&x, &pass, None).unwrap();
        assert_eq!(once, x);
    }
    assert_eq!(model.finish(&x).unwrap(), whole);
}

#[test]
fn a_checkpoint_without_the_output_layer_and_a_text_too_long_for_learned_positions() {
    let (golden, model) = load("gpt2");
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(golden.dir.join("config.json"), dir.path().join("config.json")).unwrap();
    let weights: Vec<_> = model
        .checkpoint_weights()
        .into_iter()
        .map(|(name, weight)| (name.replace("transformer.", ""), weight))
        .collect();
    crate::checkpoint::write_safetensors(&dir.path().join("model.safetensors"), &weights).unwrap();
    let bare = Decoder::load(&Checkpoint::open(dir.path()).unwrap(), Device::Cpu, Kind::Float).unwrap();
    let ids = golden.ids();
    let forward = |model: &Decoder| tch::no_grad(|| model.forward(&ids, Step::default()).unwrap());
    assert_eq!(max_difference(&forward(&bare), &forward(&model)), 0.0);

    let long = Tensor::zeros([1, 129], (Kind::Int64, Device::Cpu));
    let error = model.forward(&long, Step::default()).unwrap_err();
    assert_eq!(error.code(), "model.input");
    assert!(error.to_string().contains("128 positions"), "{error}");
}

macro_rules! families {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            parity($name);
        })*
    };
}

families! {
    llama_with_biases: "llama-biases",
    llama_with_linear_scaling: "llama-linear",
    llama_with_dynamic_scaling: "llama-dynamic",
    llama3: "llama3",
    llama_with_yarn: "llama-yarn",
    mistral: "mistral",
    qwen2: "qwen2",
    qwen3: "qwen3",
    gemma2: "gemma2",
    gpt2: "gpt2",
}
