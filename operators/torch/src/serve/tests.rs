//! The service over a pair of buffers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    io::Write,
    path::Path,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tch::Device;

use super::{Backend, Embed, ServeOptions, Weights, models::Encoders, serve};
use crate::checkpoint::write_config;

/// What the service wrote.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Replies in the order of their ids; parts stay in theirs.
fn ask(requests: &[Value]) -> Vec<Value> {
    ask_with(ServeOptions::new(Device::Cpu), requests)
}

fn ask_text(lines: &str) -> Vec<Value> {
    ask_of(ServeOptions::new(Device::Cpu), lines)
}

fn ask_with(options: ServeOptions, requests: &[Value]) -> Vec<Value> {
    let lines: String = requests.iter().map(|request| format!("{request}\n")).collect();
    ask_of(options, &lines)
}

fn ask_of(options: ServeOptions, lines: &str) -> Vec<Value> {
    let output = Output::default();
    serve(lines.as_bytes(), output.clone(), options).unwrap();
    let written = output.0.lock().unwrap().clone();
    let mut replies: Vec<Value> = String::from_utf8(written)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    replies.sort_by_key(|reply| reply["id"].to_string().trim_matches('"').to_owned());
    replies
}

/// The golden model with a tokenizer of one token a byte and an end of text.
fn model() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny-llama");
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(golden.join(name), dir.path().join(name)).unwrap();
    }
    let vocabulary: serde_json::Map<_, _> = (0..256).map(|id| (format!("<0x{id:02X}>"), json!(id))).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": null, "post_processor": null, "decoder": {"type": "ByteFallback"},
        "model": {"type": "BPE", "unk_token": null, "byte_fallback": true, "vocab": vocabulary, "merges": []},
    });
    write_config(&dir.path().join("tokenizer.json"), &tokenizer).unwrap();
    write_config(&dir.path().join("tokenizer_config.json"), &json!({})).unwrap();
    dir
}

#[test]
fn text_is_generated_from_prompts_and_conversations_and_adapters_are_switched() {
    let dir = model();
    let adapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny-llama/adapter");
    let request = |id: u64, extra: Value| {
        let mut request = json!({"id": id, "op": "generate", "model": dir.path(), "max_new_tokens": 12});
        request
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        request
    };
    let replies = ask(&[
        request(1, json!({"prompt": "hello"})),
        request(2, json!({"prompt": "hello", "adapter": adapter})),
        request(
            3,
            json!({"prompt": "hello", "temperature": 0.0, "seed": 4, "top_p": 1.0, "repetition_penalty": 1.0}),
        ),
        request(
            4,
            json!({"messages": [{"role": "user", "content": "hi"}], "temperature": 1.0}),
        ),
    ]);
    assert_eq!(
        replies
            .iter()
            .map(|reply| reply["id"].as_u64().unwrap())
            .collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert!(
        replies.iter().all(|reply| reply.get("error").is_none()),
        "{replies:?}"
    );
    assert_eq!(
        replies[0]["tokens"], replies[2]["tokens"],
        "the base without the adapter again"
    );
    assert_ne!(replies[0]["tokens"], replies[1]["tokens"]);
    assert_eq!(replies[0]["prompt_tokens"], 5);
    assert!(replies[3]["new_tokens"].as_u64().unwrap() > 0);
}

#[test]
fn what_fails_gets_a_typed_reply_and_the_service_goes_on() {
    let dir = model();
    let replies = ask_text(&format!(
        "nonsense\n\n{}\n{}\n{}\n{}\n{}\n{}\n",
        json!({"id": "a", "op": "dance"}),
        json!({"id": "b", "op": "generate", "model": "/nowhere", "prompt": "x"}),
        json!({"id": "c", "op": "generate", "model": dir.path()}),
        json!({"id": "d", "op": "generate", "model": dir.path(), "prompt": "x", "temperature": -1}),
        json!({"id": "e", "op": "embed", "texts": ["x"], "model": dir.path()}),
        json!({"id": "f", "op": "generate", "model": dir.path(), "prompt": "x", "max_new_tokens": 3}),
    ));
    let code = |at: usize| replies[at]["error"]["code"].as_str().unwrap_or_default();
    assert_eq!(replies.len(), 7);
    assert_eq!((code(0), &replies[0]["id"]), ("model.input", &json!("a")));
    assert_eq!((code(6), &replies[6]["id"]), ("model.input", &Value::Null));
    assert_eq!(
        (code(1), code(2), code(3), code(4)),
        ("model.input", "model.input", "model.input", "model.config")
    );
    assert!(!replies[1]["error"]["hint"].as_str().unwrap().is_empty());
    assert_eq!(replies[5]["new_tokens"], 3);
}

#[test]
fn texts_are_embedded() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/minilm");
    if !dir.join("model.safetensors").is_file() {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: no embedder in {}: run infra/setup/embedder.sh",
            dir.display()
        );
        return;
    }
    let replies = ask(&[
        json!({"id": 1, "op": "embed", "texts": ["a cat", "a kitten", "tax law"], "model": dir}),
        json!({"id": 2, "op": "embed", "texts": [], "model": dir}),
    ]);
    let vectors: Vec<Vec<f64>> = serde_json::from_value(replies[0]["vectors"].clone()).unwrap();
    let dot = |a: usize, b: usize| {
        vectors[a]
            .iter()
            .zip(&vectors[b])
            .map(|(a, b)| a * b)
            .sum::<f64>()
    };
    assert!(dot(0, 1) > dot(0, 2) + 0.2);
    assert_eq!(replies[0]["dimension"], 384);
    assert_eq!(replies[1]["vectors"], json!([]));
}

#[test]
fn a_request_that_is_refused_leaves_the_embedder_that_is_loaded() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/encoders/bert-mean");
    let dir = tempfile::tempdir().unwrap();
    let pooling = "1_Pooling/config.json";
    std::fs::create_dir(dir.path().join("1_Pooling")).unwrap();
    for name in [
        "config.json",
        "config_sentence_transformers.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        pooling,
    ] {
        std::fs::copy(golden.join(name), dir.path().join(name)).unwrap();
    }
    let ask = |model: &Path, max_length: Option<usize>, identity: Option<&str>| Embed {
        texts: vec!["the old garden wall".to_owned()],
        model: Some(model.to_owned()),
        max_length,
        identity: identity.map(str::to_owned),
        ..Embed::default()
    };
    let mut encoders = Encoders::new(Device::Cpu, Weights::F32);
    let first = encoders.embed(&ask(dir.path(), None, None)).unwrap();
    let own = first["identity"].as_str().unwrap();
    // Whoever loads it from now on fails; the identity is taken of other files.
    std::fs::write(dir.path().join(pooling), "nonsense").unwrap();
    for (model, identity) in [(dir.path(), Some("another")), (Path::new("/nowhere"), None)] {
        let refused = encoders.embed(&ask(model, None, identity)).unwrap_err();
        assert_eq!(refused.code(), "model.input", "{refused}");
    }
    for identity in [None, Some(own)] {
        let again = encoders.embed(&ask(dir.path(), None, identity)).unwrap();
        assert_eq!(again["identity"], own, "it was not loaded again");
    }
    let loaded = encoders.embed(&ask(dir.path(), Some(4), None));
    assert_eq!(loaded.unwrap_err().code(), "model.damaged");
}

#[test]
fn requests_are_answered_together_in_parts_and_may_be_taken_back() {
    let dir = model();
    let generate = |id: u64, new: usize, stream: bool| {
        json!({"id": id, "op": "generate", "model": dir.path(), "prompt": "hello", "max_new_tokens": new,
            "stream": stream, "temperature": 1.0, "seed": id, "ignore_end": true})
    };
    let replies = ask(&[
        generate(1, 40, true),
        generate(2, 100, false),
        generate(3, 5, false),
        json!({"id": 4, "op": "cancel", "request": 2}),
        json!({"id": 5, "op": "cancel", "request": "nobody"}),
        json!({"id": 6, "op": "stats"}),
    ]);
    let of = |id: u64| -> Vec<&Value> { replies.iter().filter(|reply| reply["id"] == id).collect() };
    let parts: String = of(1).iter().filter_map(|reply| reply["delta"].as_str()).collect();
    assert_eq!(of(1).last().unwrap()["text"], parts);
    assert!(of(1).len() > 2);
    let cancelled = of(4)[0]["cancelled"].as_bool().unwrap();
    // It may have been finished before it was taken back.
    assert!(of(2)[0]["error"]["code"] == "model.cancelled" || !cancelled || of(2)[0]["new_tokens"] == 100);
    assert_eq!(
        (&of(3)[0]["new_tokens"], &of(5)[0]["cancelled"]),
        (&json!(5), &json!(false))
    );
    assert!(
        of(6)[0]["models"][0]["stats"]["prompt_tokens"].is_u64(),
        "{:?}",
        of(6)
    );
}

#[test]
fn a_reranker_is_held_as_encoders_are_to_be() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/encoders/bert-reranker");
    let scores = |encoder_weights| -> Vec<f64> {
        let options = ServeOptions {
            encoder_weights,
            ..ServeOptions::new(Device::Cpu)
        };
        let documents = ["a river", "the old garden wall", "bread and salt"];
        let asked = json!({"id": 1, "op": "rerank", "model": model, "query": "who?", "documents": documents});
        let replies = ask_with(options, &[asked]);
        serde_json::from_value(replies[0]["scores"].clone()).unwrap()
    };
    let (exact, reduced) = (scores(Weights::F32), scores(Weights::Int4));
    assert_ne!(
        exact, reduced,
        "4 bits a weight cannot give the same to the last digit"
    );
    assert!(exact.iter().zip(&reduced).all(|(a, b)| (a - b).abs() < 0.2));
}

#[test]
fn libtorch_serves_every_kind_of_weights() {
    let dir = model();
    for weights in [Weights::F32, Weights::Bf16, Weights::Int8, Weights::Int4] {
        let options = ServeOptions {
            weights,
            backend: Backend::Libtorch,
            ..ServeOptions::new(Device::Cpu)
        };
        let asked = json!({"id": 1, "op": "generate", "model": dir.path(), "prompt": "hello", "max_new_tokens": 4,
            "ignore_end": true});
        let replies = ask_with(options, &[asked]);
        assert_eq!(replies[0]["new_tokens"], 4, "{weights:?}: {replies:?}");
    }
}

#[test]
fn a_model_that_has_to_go_is_gone_before_the_next_ones_weights_are_read() {
    let (first, broken) = (model(), model());
    std::fs::copy(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden/tiny-llama/adapter/adapter_model.safetensors"),
        broken.path().join("model.safetensors"),
    )
    .unwrap();
    let options = ServeOptions {
        models: 1,
        ..ServeOptions::new(Device::Cpu)
    };
    let generate = |id: u64, model: &Path| json!({"id": id, "op": "generate", "model": model, "prompt": "x", "max_new_tokens": 2});
    let ask = |next: &Path| {
        let stats = json!({"id": 3, "op": "stats"});
        ask_with(options, &[generate(1, first.path()), generate(2, next), stats])
    };
    // Its weights are not there: room was made for them before that was seen.
    let replies = ask(broken.path());
    assert_eq!(replies[0]["new_tokens"], 2);
    assert_eq!(replies[1]["error"]["code"], "model.tensor_missing", "{replies:?}");
    assert_eq!(replies[2]["models"], json!([]));
    // What can be seen to fail without weights makes nobody go.
    let replies = ask(Path::new("/nowhere"));
    assert_eq!(replies[2]["models"].as_array().unwrap().len(), 1, "{replies:?}");
}

#[test]
fn tools_documents_and_switches_reach_the_template_and_nothing_said_is_no_text() {
    let dir = model();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/chat.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    // With thoughts that can be switched off and tools, as Qwen3's has them.
    let template = golden["templates"]["thoughts"].as_str().unwrap();
    std::fs::write(dir.path().join("chat_template.jinja"), template).unwrap();
    let chat = |id: u64, extra: Value| {
        let mut request = json!({"id": id, "op": "generate", "model": dir.path(), "max_new_tokens": 1,
            "messages": [{"role": "user", "content": "hi"}]});
        request
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        request
    };
    let tool = json!({"name": "weather"});
    let call =
        json!({"role": "assistant", "content": null, "tool_calls": [{"name": "weather", "arguments": {}}]});
    let replies = ask(&[
        chat(1, json!({})),
        chat(2, json!({"chat_template_kwargs": {"enable_thinking": false}})),
        chat(3, json!({"tools": [tool]})),
        chat(
            4,
            json!({"messages": [{"role": "user", "content": "hi"}, call, {"role": "tool", "content": "rain"}]}),
        ),
        chat(5, json!({"messages": [{"content": "hi"}]})),
    ]);
    // A token a byte.
    let length = |at: usize| {
        replies[at]["prompt_tokens"]
            .as_u64()
            .unwrap_or_else(|| panic!("{replies:?}"))
    };
    let plain = "<user>hi</user>\n<writer>".len() as u64;
    assert_eq!(length(0), plain);
    assert_eq!(length(1), plain + "() ".len() as u64);
    assert_eq!(
        length(2),
        plain + "tools:\n{\"name\": \"weather\"}\n".len() as u64
    );
    assert_eq!(
        length(3),
        plain + "<writer>weather {}</writer>\n<replies><reply>rain</reply></replies>\n".len() as u64
    );
    let error = &replies[4]["error"];
    assert_eq!(error["code"], "model.input");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("message 0 has no `role`")
    );
}
