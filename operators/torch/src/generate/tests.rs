//! Generation: the known text of stories260k, the rules of sampling, and adapters.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use serde_json::json;
use tch::{Device, Kind};
use tempfile::TempDir;

use super::{Finish, Sampler, Sampling, TextModel};
use crate::checkpoint::{convert_llama2c, write_config};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What the reference maths give greedily from an empty prompt (`infra/golden/stories.py`).
const STORY: &str = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. \
One day, she saw a big, red ball. She wanted to play with it, but it was too high.\n\
Lily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. She said, \
\"I want to play with your ball, but I can't find it.\"\n\
Lily was sad and didn't know what to do. She said, \"I'm sorry, Lily. I didn't know what to do.\"\n\
Lily didn't want to help her mom, so she";

fn stories() -> Option<TempDir> {
    let shared =
        std::env::var_os("TWINLOOM_SHARED").map_or_else(|| Path::new(ROOT).join("../shared"), PathBuf::from);
    let from = shared.join("data/stories260k");
    if !from.join("stories260K.bin").is_file() {
        let _ = writeln!(std::io::stderr(), "SKIP: no stories260k in {}", from.display());
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    convert_llama2c(
        &from.join("stories260K.bin"),
        &from.join("tok512.bin"),
        dir.path(),
    )
    .unwrap();
    Some(dir)
}

/// The tiny golden model with a tokenizer of one token a byte.
fn tiny() -> (TempDir, TextModel) {
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny-llama");
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(golden.join(name), dir.path().join(name)).unwrap();
    }
    let vocabulary: serde_json::Map<_, _> = (0..256).map(|id| (format!("<0x{id:02X}>"), json!(id))).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": null, "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "unk_token": null, "byte_fallback": true, "vocab": vocabulary, "merges": []},
    });
    write_config(&dir.path().join("tokenizer.json"), &tokenizer).unwrap();
    write_config(&dir.path().join("tokenizer_config.json"), &json!({})).unwrap();
    let model = TextModel::load(dir.path(), Device::Cpu, None).unwrap();
    (dir, model)
}

fn new_tokens(max_new_tokens: usize) -> Sampling {
    Sampling {
        max_new_tokens,
        ..Sampling::default()
    }
}

#[test]
fn stories260k_tells_the_known_story() {
    let Some(dir) = stories() else { return };
    let model = TextModel::load(dir.path(), Device::Cpu, None).unwrap();
    let told = model.complete("", &new_tokens(200)).unwrap();
    assert_eq!(told.text, STORY);
    assert_eq!(
        (told.new_tokens, told.prompt_tokens, told.finish),
        (200, 1, Finish::Length)
    );

    let (start, rest) = STORY.split_at("Once upon a time, there was a little girl".len());
    let from_there = model.complete(start, &new_tokens(30)).unwrap();
    assert!(
        rest.trim_start().starts_with(from_there.text.trim_start()),
        "{}",
        from_there.text
    );
    assert!(from_there.text.len() > 40);
}

#[test]
fn a_stop_text_ends_the_story_and_is_left_out() {
    let Some(dir) = stories() else { return };
    let model = TextModel::load(dir.path(), Device::Cpu, None).unwrap();
    let told = model
        .complete(
            "",
            &Sampling {
                stop: vec!["the park".to_owned()],
                ..new_tokens(200)
            },
        )
        .unwrap();
    assert_eq!(told.finish, Finish::Stop);
    assert!(told.text.ends_with("to play outside in "), "{}", told.text);
}

#[test]
fn equal_seeds_give_equal_text_and_others_other_text() {
    let (_dir, model) = tiny();
    let told = |seed| {
        model
            .complete(
                "a",
                &Sampling {
                    temperature: 1.0,
                    top_p: 0.9,
                    seed,
                    ..new_tokens(24)
                },
            )
            .unwrap()
            .tokens
    };
    assert_eq!(told(1), told(1));
    assert_ne!(told(1), told(2));
}

#[test]
fn an_adapter_changes_the_text_and_can_be_taken_off() {
    let (_dir, mut model) = tiny();
    let adapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny-llama/adapter");
    let plain = model.complete("a", &new_tokens(16)).unwrap();
    model.use_adapter(Some(&adapter)).unwrap();
    assert_ne!(model.complete("a", &new_tokens(16)).unwrap(), plain);
    model.use_adapter(None).unwrap();
    assert_eq!(model.complete("a", &new_tokens(16)).unwrap(), plain);
    assert_eq!(
        model.use_adapter(Some(Path::new("/nowhere"))).unwrap_err().code(),
        "model.file_missing"
    );
    assert_eq!(
        model.complete("a", &new_tokens(16)).unwrap(),
        plain,
        "a failed switch leaves the base"
    );
}

#[test]
fn a_prompt_longer_than_the_context_loses_its_start_and_says_so() {
    let (_dir, model) = tiny();
    let context = 128;
    let ids: Vec<u32> = (0..300).map(|i| 3 + i % 250).collect();
    let told = model.generate(&ids, &new_tokens(20)).unwrap();
    assert_eq!(
        (told.prompt_tokens, told.prompt_truncated),
        (context - 20, 300 - (context - 20))
    );
    assert!(told.new_tokens <= 20);
    let long = model.generate(&ids[..100], &new_tokens(1000)).unwrap();
    assert!(long.prompt_tokens + long.new_tokens <= context);
}

#[test]
fn requests_that_cannot_be_met_are_refused() {
    let (_dir, model) = tiny();
    assert_eq!(
        model.complete("", &new_tokens(4)).unwrap_err().code(),
        "model.input"
    );
    assert_eq!(
        model.generate(&[256], &new_tokens(4)).unwrap_err().code(),
        "model.input"
    );
    for wrong in [
        Sampling {
            max_new_tokens: 0,
            ..Sampling::default()
        },
        Sampling {
            temperature: -1.0,
            ..Sampling::default()
        },
        Sampling {
            temperature: f64::NAN,
            ..Sampling::default()
        },
        Sampling {
            top_p: 0.0,
            ..Sampling::default()
        },
        Sampling {
            min_p: 1.0,
            ..Sampling::default()
        },
        Sampling {
            repetition_penalty: 0.0,
            ..Sampling::default()
        },
        Sampling {
            stop: vec![String::new()],
            ..Sampling::default()
        },
    ] {
        assert_eq!(
            model.complete("a", &wrong).unwrap_err().code(),
            "model.input",
            "{wrong:?}"
        );
    }
}

#[test]
fn sampling_keeps_to_its_limits() {
    let logits = [2.0_f32, 1.0, 0.5, -1.0, 1.9];
    let drawn = |sampling: &Sampling| {
        let mut sampler = Sampler::new(sampling, &[]);
        let mut counts = [0_usize; 5];
        (0..2000).for_each(|_| counts[sampler.pick(&mut logits.clone()) as usize] += 1);
        counts
    };
    let base = Sampling {
        temperature: 1.0,
        seed: 9,
        ..Sampling::default()
    };
    let all = drawn(&base);
    let total: f64 = logits.iter().map(|l| f64::from(*l).exp()).sum();
    for (count, logit) in all.iter().zip(logits) {
        let expected = f64::from(logit).exp() / total * 2000.0;
        assert!(
            (*count as f64 - expected).abs() < 5.0 * expected.sqrt(),
            "{all:?}"
        );
    }
    let kept = |sampling: &Sampling| drawn(sampling).map(|count| count > 0);
    assert_eq!(
        kept(&Sampling {
            top_k: 2,
            ..base.clone()
        }),
        [true, false, false, false, true]
    );
    assert_eq!(
        kept(&Sampling {
            top_p: 0.4,
            ..base.clone()
        }),
        [true, false, false, false, true]
    );
    assert_eq!(
        kept(&Sampling {
            min_p: 0.3,
            ..base.clone()
        }),
        [true, true, false, false, true]
    );
    assert_eq!(
        kept(&Sampling {
            top_p: 1e-9,
            ..base.clone()
        }),
        [true, false, false, false, false]
    );
    assert_eq!(
        kept(&Sampling {
            temperature: 0.0,
            ..base
        }),
        [true, false, false, false, false]
    );
}

#[test]
fn a_penalty_moves_the_choice_off_what_was_said() {
    let sampling = Sampling {
        repetition_penalty: 1.5,
        ..Sampling::default()
    };
    let mut sampler = Sampler::new(&sampling, &[0]);
    let logits = [2.0_f32, 1.9, -0.1];
    assert_eq!(sampler.pick(&mut logits.clone()), 1);
    assert_eq!(sampler.pick(&mut logits.clone()), 0, "both are penalised now");
}

#[test]
fn weights_can_be_loaded_in_half_the_memory() {
    let (dir, model) = tiny();
    let half = TextModel::load(dir.path(), Device::Cpu, Some(Kind::BFloat16)).unwrap();
    assert_eq!(half.decoder().kind(), Kind::BFloat16);
    assert_eq!(model.decoder().kind(), Kind::Float);
    assert_eq!(half.complete("a", &new_tokens(8)).unwrap().new_tokens, 8);
}

#[test]
fn a_broken_llama2c_file_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let (bin, tok) = (dir.path().join("x.bin"), dir.path().join("tok.bin"));
    std::fs::write(&tok, b"").unwrap();
    let header: Vec<u8> = [64_i32, 172, 5, 8, 4, 512, 512]
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .collect();
    let wrong: Vec<u8> = [0_i32, -5, 5, 8, 3, 512, 512]
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .collect();
    for bytes in [vec![], header, wrong] {
        std::fs::write(&bin, bytes).unwrap();
        let error = convert_llama2c(&bin, &tok, &dir.path().join("out")).unwrap_err();
        assert_eq!(error.code(), "model.damaged");
        assert!(error.to_string().contains("x.bin"));
    }
}
