//! The engine on tiny checkpoints: equal texts alone and together, and everything around them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod families;
mod reduced;

use std::{
    path::{Path, PathBuf},
    sync::mpsc,
};

use serde_json::json;
use tch::{Device, Kind};
use tempfile::TempDir;
use twinloom_kernels::Format;

use super::*;
use crate::{
    checkpoint::{Checkpoint, write_config},
    generate::{Finish, Libtorch, Native, NativeOptions, TextModel},
    nn::Decoder,
};

pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

pub fn decoder(dir: &Path) -> Decoder {
    Decoder::load(&Checkpoint::open(dir).unwrap(), Device::Cpu, Kind::Float).unwrap()
}

/// A tokenizer of one token a byte, in the folder.
pub fn byte_tokenizer(dir: &Path) -> Arc<TextTokenizer> {
    let vocabulary: serde_json::Map<_, _> = (0..256).map(|id| (format!("<0x{id:02X}>"), json!(id))).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": null, "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "unk_token": null, "byte_fallback": true, "vocab": vocabulary, "merges": []},
    });
    write_config(&dir.join("tokenizer.json"), &tokenizer).unwrap();
    write_config(&dir.join("tokenizer_config.json"), &json!({})).unwrap();
    Arc::new(TextTokenizer::load(dir).unwrap())
}

fn options() -> NativeOptions {
    NativeOptions {
        format: Format::F32,
        cache_bytes: 64 << 20,
        threads: 2,
    }
}

/// The tiny Llama on the kernels.
struct Tiny {
    dir: TempDir,
    engine: Engine,
}

impl Tiny {
    fn new(native: NativeOptions, options: EngineOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["config.json", "model.safetensors"] {
            std::fs::copy(golden("tiny-llama").join(name), dir.path().join(name)).unwrap();
        }
        let tokenizer = byte_tokenizer(dir.path());
        let runner = Native::new(&decoder(dir.path()), native).unwrap();
        let engine = Engine::start(Box::new(runner), tokenizer, BTreeSet::new(), options).unwrap();
        Self { dir, engine }
    }
}

pub fn request(prompt: &[u32], max_new_tokens: usize) -> Request {
    Request {
        prompt: prompt.to_vec(),
        sampling: Sampling {
            max_new_tokens,
            ..Sampling::default()
        },
        adapter: None,
        stream: false,
    }
}

/// Hands requests in at once and waits for all.
pub fn together(engine: &Engine, requests: Vec<Request>) -> Vec<Result<Generated, ModelError>> {
    let waits: Vec<_> = requests
        .into_iter()
        .enumerate()
        .map(|(id, request)| {
            let (reply, received) = mpsc::channel();
            let sink = move |event| drop(reply.send(event));
            engine.submit(id as u64, request, Box::new(sink)).unwrap();
            received
        })
        .collect();
    let last = |events: mpsc::Receiver<Event>| match events.into_iter().last().unwrap() {
        Event::Done(generated) => Ok(generated),
        Event::Failed(error) => Err(error),
        Event::Part { .. } => panic!("a part came last"),
    };
    waits.into_iter().map(last).collect()
}

fn prompt(seed: u32, length: usize) -> Vec<u32> {
    (0..length as u32)
        .map(|i| (i * 37 + seed * 11 + i * i % 7) % 250)
        .collect()
}

#[test]
fn texts_are_the_same_alone_and_together_whatever_the_bounds() {
    let requests = || -> Vec<Request> {
        (0..12)
            .map(|n| {
                let mut request = request(&prompt(n, 3 + 9 * n as usize % 90), 4 + 3 * n as usize % 20);
                if n % 3 == 1 {
                    request.sampling.temperature = 0.9;
                    request.sampling.top_p = 0.9;
                    request.sampling.seed = u64::from(n);
                }
                if n % 4 == 2 {
                    request.sampling.repetition_penalty = 1.3;
                    request.adapter = Some(golden("tiny-llama/adapter"));
                }
                request
            })
            .collect()
    };
    let alone = Tiny::new(
        options(),
        EngineOptions {
            running: 1,
            ..EngineOptions::default()
        },
    );
    let expected: Vec<_> = together(&alone.engine, requests())
        .into_iter()
        .map(|text| text.unwrap().tokens)
        .collect();
    for (running, piece, cache_bytes) in [(12, 256, 64 << 20), (5, 7, 64 << 20), (12, 16, 200_000)] {
        let tiny = Tiny::new(
            NativeOptions {
                cache_bytes,
                ..options()
            },
            EngineOptions {
                running,
                piece,
                queue: 100,
            },
        );
        for round in 0..2 {
            let found: Vec<_> = together(&tiny.engine, requests())
                .into_iter()
                .map(|text| text.unwrap().tokens)
                .collect();
            assert_eq!(
                found, expected,
                "{running} at a time, pieces of {piece}, round {round}"
            );
        }
        let stats = tiny.engine.stats().unwrap();
        assert_eq!((stats.finished, stats.running, stats.waiting), (24, 0, 0));
        assert!(cache_bytes < 1 << 20 || stats.cached_tokens > 100, "{stats:?}");
        assert_eq!(
            stats.room.free_positions, stats.room.positions,
            "every page was given back"
        );
    }
}

#[test]
fn an_adapter_writes_what_it_writes_on_libtorch() {
    let tiny = Tiny::new(options(), EngineOptions::default());
    let mut model = TextModel::load(tiny.dir.path(), Device::Cpu, None).unwrap();
    let ids = prompt(5, 20);
    let adapter = golden("tiny-llama/adapter");
    let mut with = request(&ids, 24);
    with.adapter = Some(adapter.clone());
    let found = together(&tiny.engine, vec![request(&ids, 24), with]);
    let sampling = request(&ids, 24).sampling;
    assert_eq!(
        found[0].as_ref().unwrap().tokens,
        model.generate(&ids, &sampling).unwrap().tokens
    );
    model.use_adapter(Some(&adapter)).unwrap();
    assert_eq!(
        found[1].as_ref().unwrap().tokens,
        model.generate(&ids, &sampling).unwrap().tokens
    );
    let mut wrong = request(&ids, 4);
    wrong.adapter = Some("/nowhere".into());
    assert_eq!(
        tiny.engine.generate(9, wrong).unwrap_err().code(),
        "model.file_missing"
    );
}

#[test]
fn a_shared_start_is_read_once_and_changes_nothing() {
    let tiny = Tiny::new(options(), EngineOptions::default());
    let (start, mut first) = (prompt(1, 64), prompt(1, 64));
    first.extend(prompt(2, 9));
    let mut second = start.clone();
    second.extend(prompt(3, 12));
    let fresh = tiny.engine.generate(1, request(&second, 16)).unwrap();
    let other = Tiny::new(options(), EngineOptions::default());
    other.engine.generate(1, request(&first, 16)).unwrap();
    let shared = other.engine.generate(2, request(&second, 16)).unwrap();
    assert_eq!((fresh.cached_tokens, shared.cached_tokens), (0, 64));
    assert_eq!(fresh.tokens, shared.tokens);
    let mut adapted = request(&second, 16);
    adapted.adapter = Some(golden("tiny-llama/adapter"));
    assert_eq!(
        other.engine.generate(3, adapted).unwrap().cached_tokens,
        0,
        "read otherwise"
    );
}

#[test]
fn parts_make_up_the_text_and_hold_whole_characters() {
    let tiny = Tiny::new(options(), EngineOptions::default());
    // Every letter is two bytes: random texts of this model are full of broken ones.
    let mut request = request(&"äöüß".bytes().map(u32::from).collect::<Vec<_>>(), 60);
    request.sampling.temperature = 1.5;
    request.sampling.logprobs = Some(2);
    request.stream = true;
    let (reply, events) = mpsc::channel();
    tiny.engine
        .submit(1, request, Box::new(move |event| drop(reply.send(event))))
        .unwrap();
    let (mut text, mut parts, mut logprobs) = (String::new(), 0, 0);
    for event in events {
        match event {
            Event::Part {
                text: part,
                logprobs: some,
            } => {
                assert!(!part.is_empty());
                text.push_str(&part);
                parts += 1;
                logprobs += some.len();
            }
            Event::Done(done) => {
                assert_eq!(done.text, text);
                assert_eq!((done.new_tokens, done.finish), (60, Finish::Length));
                assert_eq!(done.logprobs.len(), 60);
                assert!(logprobs <= 60 && done.logprobs.iter().all(|l| l.logprob <= 0.0 && l.top.len() == 2));
                assert!(
                    done.logprobs
                        .iter()
                        .all(|l| l.top[0].1 >= l.logprob && l.top[0].1 >= l.top[1].1)
                );
            }
            Event::Failed(error) => panic!("{error}"),
        }
    }
    assert!(parts > 3, "{parts}");
}

#[test]
fn stop_texts_and_tokens_end_a_text_and_are_never_given_out() {
    let tiny = Tiny::new(options(), EngineOptions::default());
    let whole = tiny.engine.generate(1, request(&prompt(4, 8), 40)).unwrap();
    let mut stopped = request(&prompt(4, 8), 40);
    stopped.sampling.stop_tokens = vec![whole.tokens[10]];
    let first = whole
        .tokens
        .iter()
        .position(|token| *token == whole.tokens[10])
        .unwrap();
    let done = tiny.engine.generate(2, stopped).unwrap();
    assert_eq!((done.finish, done.new_tokens), (Finish::Stop, first + 1));

    let letters: Vec<char> = whole.text.chars().collect();
    let stop: String = letters[6..9].iter().collect();
    let mut stopped = request(&prompt(4, 8), 40);
    stopped.sampling.stop = vec!["never comes, but starts alike".to_owned(), stop.clone()];
    stopped.stream = true;
    let (reply, events) = mpsc::channel();
    tiny.engine
        .submit(3, stopped, Box::new(move |event| drop(reply.send(event))))
        .unwrap();
    let (mut text, mut ended) = (String::new(), None);
    for event in events {
        match event {
            Event::Part { text: part, .. } => text.push_str(&part),
            Event::Done(done) => ended = Some(done),
            Event::Failed(error) => panic!("{error}"),
        }
    }
    let ended = ended.unwrap();
    assert_eq!(ended.finish, Finish::Stop);
    assert_eq!(
        (ended.text.as_str(), text.as_str()),
        (whole.text.split(&stop).next().unwrap(), &*text)
    );
    assert_eq!(ended.text, text);
}

#[test]
fn a_cancelled_request_leaves_and_a_full_queue_refuses() {
    let tiny = Tiny::new(
        options(),
        EngineOptions {
            queue: 1,
            running: 1,
            piece: 8,
        },
    );
    let (reply, events) = mpsc::channel();
    let send = |id: u64, mut request: Request| {
        request.stream = true;
        let reply = reply.clone();
        tiny.engine
            .submit(id, request, Box::new(move |event| drop(reply.send((id, event)))))
    };
    // The first holds the engine at its first piece of text until the others have been handed in.
    let (at_work, started) = mpsc::channel();
    let (go_on, held) = mpsc::channel::<()>();
    let (first, mut long) = (reply.clone(), request(&prompt(1, 8), 100));
    long.stream = true;
    let mut waits = true;
    let answer = Box::new(move |event| {
        if std::mem::take(&mut waits) {
            let _ = (at_work.send(()), held.recv());
        }
        drop(first.send((1, event)));
    });
    tiny.engine.submit(1, long, answer).unwrap();
    started.recv().unwrap();
    send(2, request(&prompt(2, 8), 4)).unwrap();
    assert_eq!(
        send(3, request(&prompt(3, 8), 4)).unwrap_err().code(),
        "model.busy"
    );
    assert_eq!(send(4, request(&[], 4)).unwrap_err().code(), "model.input");
    assert_eq!(send(4, request(&[9999], 4)).unwrap_err().code(), "model.input");
    tiny.engine.cancel(1);
    tiny.engine.cancel(77);
    go_on.send(()).unwrap();
    drop(reply);
    let mut ends = std::collections::BTreeMap::new();
    while ends.len() < 2 {
        match events.recv().unwrap() {
            (id, Event::Failed(error)) => drop(ends.insert(id, error.code().to_owned())),
            (id, Event::Done(done)) => drop(ends.insert(id, done.new_tokens.to_string())),
            _ => {}
        }
    }
    assert_eq!((ends[&1].as_str(), ends[&2].as_str()), ("model.cancelled", "4"));
    assert_eq!(tiny.engine.open(), 0);
    assert_eq!(tiny.engine.stats().unwrap().failed, 1);
}

#[test]
fn a_text_that_never_fits_is_refused() {
    let tiny = Tiny::new(
        NativeOptions {
            cache_bytes: 1,
            ..options()
        },
        EngineOptions::default(),
    );
    let error = tiny.engine.generate(1, request(&prompt(1, 30), 30)).unwrap_err();
    assert_eq!(error.code(), "model.input");
    assert_eq!(
        tiny.engine
            .generate(2, request(&prompt(1, 8), 8))
            .unwrap()
            .new_tokens,
        8,
        "one page is enough"
    );
}

#[test]
fn libtorch_serves_what_the_kernels_do_not() {
    let dir = golden("families/llama-dynamic");
    assert!(Native::new(&decoder(&dir), options()).is_err());
    let tiny = Tiny::new(options(), EngineOptions::default());
    let runner = Libtorch::new(decoder(tiny.dir.path()), 1 << 20);
    let tokenizer = Arc::new(TextTokenizer::load(tiny.dir.path()).unwrap());
    let engine = Engine::start(
        Box::new(runner),
        tokenizer,
        BTreeSet::new(),
        EngineOptions::default(),
    )
    .unwrap();
    let mut adapted = request(&prompt(2, 10), 12);
    adapted.adapter = Some(golden("tiny-llama/adapter"));
    let requests = vec![request(&prompt(1, 40), 12), adapted, request(&prompt(3, 5), 20)];
    let tokens = |engine: &Engine| -> Vec<_> {
        together(engine, requests.clone())
            .into_iter()
            .map(|text| text.unwrap().tokens)
            .collect()
    };
    assert_eq!(tokens(&engine), tokens(&tiny.engine));
}
