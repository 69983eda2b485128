//! Every family on the kernels against the greedy tokens of transformers, alone and beside others.

use super::*;

fn greedy(name: &str) {
    let dir = golden("families").join(name);
    let file = Checkpoint::open_files(&dir, &[dir.join("golden.safetensors")]).unwrap();
    let get = |name: &str| {
        let tensor = file
            .tensor(name, file.shape(name).unwrap(), Device::Cpu, Kind::Float)
            .unwrap();
        tensor.to_kind(Kind::Int64)
    };
    let numbers = |tensor: tch::Tensor| -> Vec<u32> {
        Vec::<i64>::try_from(tensor.reshape([-1]))
            .unwrap()
            .into_iter()
            .map(|id| id as u32)
            .collect()
    };
    let (ids, expected) = (numbers(get("ids").select(0, 0)), numbers(get("greedy")));
    let scratch = tempfile::tempdir().unwrap();
    let tokenizer = byte_tokenizer(scratch.path());
    let runner = Native::new(&decoder(&dir), options()).unwrap();
    let engine = Engine::start(
        Box::new(runner),
        tokenizer,
        BTreeSet::new(),
        EngineOptions {
            piece: 5,
            ..EngineOptions::default()
        },
    );
    let engine = engine.unwrap();
    let alone = engine.generate(0, request(&ids[..8], expected.len())).unwrap();
    assert_eq!(alone.tokens, expected, "{name}");

    // Prompts longer than the windows, in pieces, beside the first.
    let requests = |ids: &[u32]| -> Vec<Request> {
        [8, 40, 17, 1]
            .map(|length| request(&ids[..length], expected.len() - length / 2))
            .into()
    };
    let apart: Vec<_> = requests(&ids)
        .into_iter()
        .map(|request| engine.generate(1, request).unwrap().tokens)
        .collect();
    let found: Vec<_> = together(&engine, requests(&ids))
        .into_iter()
        .map(|text| text.unwrap().tokens)
        .collect();
    assert_eq!(found, apart, "{name}");

    let model = decoder(&dir);
    let _guard = tch::no_grad_guard();
    let input =
        tch::Tensor::from_slice(&ids[..40].iter().map(|id| i64::from(*id)).collect::<Vec<_>>()).unsqueeze(0);
    let logits = model.forward(&input, crate::nn::Step::default()).unwrap();
    assert_eq!(
        found[1][0],
        logits.select(1, 39).argmax(-1, false).int64_value(&[0]) as u32,
        "{name}"
    );
}

macro_rules! families {
    ($($test:ident $name:literal)*) => { $(#[test] fn $test() { greedy($name); })* };
}
families! {
    gemma2 "gemma2"
    gpt2 "gpt2"
    llama_biases "llama-biases"
    llama_linear "llama-linear"
    llama_yarn "llama-yarn"
    llama3 "llama3"
    mistral "mistral"
    qwen2 "qwen2"
    qwen3 "qwen3"
}
