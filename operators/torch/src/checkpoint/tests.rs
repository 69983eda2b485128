//! Broken checkpoints: each error names the file or tensor and the fix.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{fs, path::Path};

use serde_json::json;
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

use super::{Checkpoint, write_safetensors};
use crate::nn::Decoder;

fn golden() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny-llama")
}

/// A copy of the golden checkpoint to break.
fn copy() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors"] {
        fs::copy(golden().join(name), dir.path().join(name)).unwrap();
    }
    dir
}

fn load(dir: &Path) -> Result<Decoder, crate::ModelError> {
    Decoder::load(&Checkpoint::open(dir)?, Device::Cpu, Kind::Float)
}

fn code(dir: &Path) -> (&'static str, String) {
    let error = load(dir).err().expect("an error");
    assert!(!error.hint().is_empty());
    (error.code(), error.to_string())
}

/// Writes the golden weights again, changed.
fn rewrite(dir: &Path, change: impl Fn(&str, Tensor) -> Option<Tensor>) {
    let from = Checkpoint::open(&golden()).unwrap();
    let read = |name: &str| {
        from.tensor(name, from.shape(name).unwrap(), Device::Cpu, Kind::Float)
            .unwrap()
    };
    let tensors: Vec<_> = from
        .names()
        .filter_map(|name| Some((name.to_owned(), change(name, read(name))?)))
        .collect();
    write_safetensors(&dir.join("model.safetensors"), &tensors).unwrap();
}

#[test]
fn a_missing_tensor_is_named_with_its_nearest() {
    let dir = copy();
    let lost = "model.layers.1.mlp.down_proj.weight";
    rewrite(dir.path(), |name, tensor| (name != lost).then_some(tensor));
    let error = load(dir.path()).err().unwrap();
    assert_eq!(error.code(), "model.tensor_missing");
    assert!(error.to_string().contains(lost));
    assert!(
        error.hint().contains("model.layers.0.mlp.down_proj.weight"),
        "{}",
        error.hint()
    );
}

#[test]
fn a_wrong_shape_is_named_with_both_shapes() {
    let dir = copy();
    rewrite(dir.path(), |name, tensor| {
        Some(if name == "model.norm.weight" {
            tensor.narrow(0, 0, 40)
        } else {
            tensor
        })
    });
    let (code, text) = code(dir.path());
    assert_eq!(code, "model.tensor_shape");
    assert!(
        text.contains("model.norm.weight") && text.contains("[40]") && text.contains("[48]"),
        "{text}"
    );
}

#[test]
fn a_pickle_is_refused_by_name() {
    let dir = copy();
    fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    assert_eq!(code(dir.path()).0, "model.file_missing");
    fs::write(dir.path().join("pytorch_model.bin"), b"\x80\x02}").unwrap();
    let (code, text) = code(dir.path());
    assert_eq!(code, "model.pickle");
    assert!(text.contains("pytorch_model.bin"));
}

#[test]
fn missing_and_broken_files_are_named() {
    let dir = copy();
    fs::write(dir.path().join("config.json"), "{").unwrap();
    assert_eq!(code(dir.path()).0, "model.damaged");
    fs::remove_file(dir.path().join("config.json")).unwrap();
    let (code, text) = code(dir.path());
    assert_eq!(code, "model.file_missing");
    assert!(text.contains("config.json"));
}

#[test]
fn damaged_weight_files_are_refused_before_a_tensor_is_read() {
    let dir = copy();
    let path = dir.path().join("model.safetensors");
    let whole = fs::read(&path).unwrap();
    let mut huge = whole.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut garbled = whole.clone();
    garbled[9..40].fill(0xff);
    for broken in [
        &whole[..4],
        &whole[..5000],
        &whole[..whole.len() - 1],
        &huge,
        &garbled,
        b"",
    ] {
        fs::write(&path, broken).unwrap();
        let (code, text) = code(dir.path());
        assert_eq!(code, "model.damaged", "{text}");
        assert!(text.contains("model.safetensors"));
    }
}

#[test]
fn quantised_weights_are_refused() {
    let dir = copy();
    let header =
        json!({"model.embed_tokens.weight": {"dtype": "I8", "shape": [256, 48], "data_offsets": [0, 12288]}});
    let header = header.to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend([0_u8; 12288]);
    fs::write(dir.path().join("model.safetensors"), file).unwrap();
    assert_eq!(code(dir.path()).0, "model.tensor_kind");
}

#[test]
fn an_odd_header_is_read_all_the_same() {
    // Nothing in the format keeps the data aligned to its type.
    let dir = tempfile::tempdir().unwrap();
    let header = r#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    for pad in 0..4 {
        let header = format!("{header}{}", " ".repeat(pad));
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        file.extend(1.5_f32.to_le_bytes());
        file.extend((-2.0_f32).to_le_bytes());
        let path = dir.path().join(format!("{pad}.safetensors"));
        fs::write(&path, file).unwrap();
        let file = Checkpoint::open_files(dir.path(), &[path]).unwrap();
        let x = file.tensor("x", &[2], Device::Cpu, Kind::Float).unwrap();
        assert_eq!(Vec::<f32>::try_from(x).unwrap(), [1.5, -2.0]);
    }
}

#[test]
fn shards_give_the_same_model_and_may_not_lie_elsewhere() {
    let dir = copy();
    let from = Checkpoint::open(&golden()).unwrap();
    let read = |name: &str| {
        from.tensor(name, from.shape(name).unwrap(), Device::Cpu, Kind::Float)
            .unwrap()
    };
    let (mut parts, mut map) = ([vec![], vec![]], serde_json::Map::new());
    for (index, name) in from.names().enumerate() {
        parts[index % 2].push((name.to_owned(), read(name)));
        map.insert(name.to_owned(), json!(format!("part-{}.safetensors", index % 2)));
    }
    for (index, part) in parts.iter().enumerate() {
        write_safetensors(&dir.path().join(format!("part-{index}.safetensors")), part).unwrap();
    }
    fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    let index = dir.path().join("model.safetensors.index.json");
    fs::write(&index, json!({"weight_map": map}).to_string()).unwrap();
    let (a, b) = (load(dir.path()).unwrap(), load(&golden()).unwrap());
    for ((name, x), (_, y)) in a.named_weights().iter().zip(b.named_weights()) {
        assert_eq!(x, &y, "{name}");
    }

    fs::remove_file(dir.path().join("part-1.safetensors")).unwrap();
    assert_eq!(code(dir.path()).0, "model.file_missing");
    fs::write(
        &index,
        json!({"weight_map": {"x": "../../etc/part.safetensors"}}).to_string(),
    )
    .unwrap();
    assert_eq!(code(dir.path()).0, "model.damaged");
}

#[test]
fn a_weight_of_the_wanted_type_is_the_mapped_file_itself() {
    let from = Checkpoint::open(&golden()).unwrap();
    let read = |kind| {
        from.tensor("model.embed_tokens.weight", &[256, 48], Device::Cpu, kind)
            .unwrap()
    };
    assert_eq!(read(Kind::Float).data_ptr(), read(Kind::Float).data_ptr());
    assert_ne!(read(Kind::BFloat16).data_ptr(), read(Kind::BFloat16).data_ptr());
    assert_eq!(read(Kind::BFloat16).kind(), Kind::BFloat16);
}
