//! A checkpoint with an adapter's changes in its weights, for programs that know no adapters.

use std::{fs, path::Path};

use tch::{Device, Kind, Tensor};

use super::{Checkpoint, kind_of_config, write_safetensors};
use crate::{
    ModelError,
    nn::{Adapter, Decoder, linear::Low},
};

/// Files of a base that do not hold weights: tokenizer, templates, configuration.
const COPIED: [&str; 12] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "merges.txt",
    "LICENSE",
    "LICENSE.txt",
];

/// Writes the base with `W + scale * B A` (with DoRA, of the wanted norms) for every layer that the adapter has a part for,
/// in the base's own type; sums are made in fp32.
///
/// # Errors
/// What is wrong with base or adapter; `model.input` when there are files in `out`, `model.unreadable` when it cannot be
/// written.
pub fn merge(base: &Path, adapter: &Path, out: &Path) -> Result<(), ModelError> {
    // Files that are there may be links to a store's blobs.
    if fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(ModelError::input(
            format!("the folder {} is not empty", out.display()),
            "Name a folder that is empty or not there.",
        ));
    }
    let checkpoint = Checkpoint::open(base)?;
    let kind = kind_of_config(checkpoint.config_json()).unwrap_or(Kind::Float);
    let mut decoder = Decoder::load(&checkpoint, Device::Cpu, kind)?;
    let adapter = Adapter::load(adapter, Device::Cpu)?;
    // Says what does not fit.
    decoder.attach(&adapter)?;
    decoder.detach();
    let names = decoder.architecture().names;
    let _guard = tch::no_grad_guard();
    let mut weights = decoder.checkpoint_weights();
    for (name, weight) in &mut weights {
        let layer = name.strip_suffix(".weight").unwrap_or(name);
        let Some(low) = adapter.low(layer) else { continue };
        *weight = merged(weight, &low, names.transposed)?;
    }
    let failed = |source| ModelError::Io {
        path: out.to_owned(),
        source,
    };
    fs::create_dir_all(out).map_err(failed)?;
    for name in COPIED {
        let from = base.join(name);
        if from.is_file() {
            fs::copy(&from, out.join(name)).map_err(failed)?;
        }
    }
    write_safetensors(&out.join("model.safetensors"), &weights)
}

fn merged(weight: &Tensor, low: &Low, transposed: bool) -> Result<Tensor, ModelError> {
    let turned = |x: Tensor| if transposed { x.f_transpose(0, 1) } else { Ok(x) };
    let change = low.b.f_matmul(&low.a)?.f_mul_scalar(low.scale)?;
    let mut whole = turned(weight.f_to_kind(Kind::Float)?)?.f_add(&change)?;
    if let Some(magnitude) = &low.magnitude {
        let norms = whole.f_norm_scalaropt_dim(2.0, [1_i64].as_slice(), true)?;
        whole = whole.f_mul(&magnitude.f_unsqueeze(1)?.f_div(&norms)?)?;
    }
    Ok(turned(whole)?.f_to_kind(weight.f_kind()?)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;
    use crate::nn::Step;

    #[test]
    fn a_merged_checkpoint_is_the_base_with_its_adapter() {
        let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families");
        for name in ["gpt2", "qwen3"] {
            // In fp32, so that nothing is rounded.
            let (dir, base, out) = (
                families.join(name),
                tempfile::tempdir().unwrap(),
                tempfile::tempdir().unwrap(),
            );
            fs::copy(
                dir.join("model.safetensors"),
                base.path().join("model.safetensors"),
            )
            .unwrap();
            let config = fs::read_to_string(dir.join("config.json")).unwrap();
            fs::write(
                base.path().join("config.json"),
                config.replace("bfloat16", "float32"),
            )
            .unwrap();
            merge(base.path(), &dir.join("adapter"), out.path()).unwrap();
            let load = |dir: &Path| {
                Decoder::load(&Checkpoint::open(dir).unwrap(), Device::Cpu, Kind::Float).unwrap()
            };
            let (merged, mut base) = (load(out.path()), load(&dir));
            let ids = Tensor::from_slice(&[5_i64, 9, 40, 77, 3]).unsqueeze(0);
            let _guard = tch::no_grad_guard();
            let logits = |model: &Decoder| model.forward(&ids, Step::default()).unwrap();
            let plain = logits(&base);
            base.attach(&Adapter::load(&dir.join("adapter"), Device::Cpu).unwrap())
                .unwrap();
            let far = |other: &Tensor| (logits(&merged) - other).abs().max().double_value(&[]);
            assert!(far(&logits(&base)) < 1e-4, "{name}");
            assert!(far(&plain) > 1e-3, "{name}");
        }
        let dir = families.join("gpt2");
        assert!(merge(&dir, &families.join("qwen3/adapter"), &dir.join("nowhere")).is_err());
        let full = merge(&dir, &dir.join("adapter"), &dir).unwrap_err();
        assert_eq!(full.code(), "model.input", "{full}");
    }
}
