//! The words between the gateway and the warm worker, as they stand on the wire: a change of these is seen here first.

use serde_json::{Value, json};
use twinloom_sdk::serving::{
    Embed, Embedded, Finish, Generate, Generated, Logprob, Ranked, Refusal, Request, Rerank, Role, Sampling,
};

fn wire(request: &Request) -> Value {
    let value = serde_json::to_value(request).unwrap();
    assert_eq!(
        &serde_json::from_value::<Request>(value.clone()).unwrap(),
        request
    );
    value
}

#[test]
fn requests_stand_on_the_wire_as_ever() {
    let least = Generate {
        model: "/models/twin".into(),
        prompt: Some("Once".to_owned()),
        ..Generate::default()
    };
    let switches = json!({"enable_thinking": false});
    let most = Generate {
        adapter: Some("/models/adapter".into()),
        prompt: None,
        messages: Some(vec![
            json!({"role": "assistant", "content": null, "tool_calls": []}),
        ]),
        tools: vec![json!({"type": "function"})],
        documents: vec![json!({"title": "t"})],
        chat_template_kwargs: switches.as_object().unwrap().clone(),
        stream: true,
        sampling: Sampling {
            stop: vec!["END".to_owned()],
            stop_tokens: vec![7],
            ignore_end: true,
            logprobs: Some(2),
            ..Sampling::default()
        },
        ..least.clone()
    };
    let requests = [
        Request::Embed(Embed {
            texts: vec!["a".to_owned()],
            ..Embed::default()
        }),
        Request::Embed(Embed {
            texts: vec!["a".to_owned()],
            model: Some("m".into()),
            max_length: Some(64),
            role: Role::Query,
            identity: Some("ab".to_owned()),
        }),
        Request::Rerank(Rerank {
            query: "q".to_owned(),
            documents: vec!["a".to_owned()],
            model: "m".to_owned(),
            max_length: Some(64),
        }),
        Request::Generate(Box::new(least)),
        Request::Generate(Box::new(most)),
        Request::Cancel { request: json!(3) },
        Request::Stats,
    ];
    let plain = json!({"op": "generate", "model": "/models/twin", "prompt": "Once", "max_new_tokens": 256,
        "temperature": 0.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0, "seed": 0});
    let mut full = plain.clone();
    full.as_object_mut().unwrap().remove("prompt");
    full.as_object_mut().unwrap().extend(
        json!({"adapter": "/models/adapter", "tools": [{"type": "function"}], "documents": [{"title": "t"}],
            "messages": [{"role": "assistant", "content": null, "tool_calls": []}],
            "chat_template_kwargs": {"enable_thinking": false}, "stream": true, "stop": ["END"], "stop_tokens": [7],
            "ignore_end": true, "logprobs": 2})
        .as_object()
        .unwrap()
        .clone(),
    );
    let expected = [
        json!({"op": "embed", "texts": ["a"]}),
        json!({"op": "embed", "texts": ["a"], "model": "m", "max_length": 64, "role": "query", "identity": "ab"}),
        json!({"op": "rerank", "query": "q", "documents": ["a"], "model": "m", "max_length": 64}),
        plain,
        full,
        json!({"op": "cancel", "request": 3}),
        json!({"op": "stats"}),
    ];
    assert_eq!(requests.each_ref().map(wire), expected);
}

#[test]
fn what_is_left_out_of_a_request_has_its_default() {
    let least = json!({"op": "generate", "model": "m", "messages": [{"role": "user", "content": "hi"}]});
    let Ok(Request::Generate(read)) = serde_json::from_value(least) else {
        panic!("no generate request")
    };
    assert_eq!(
        (read.sampling, read.stream, read.tools.len()),
        (Sampling::default(), false, 0)
    );
}

#[test]
fn replies_stand_on_the_wire_as_ever() {
    let generated = Generated {
        text: "on a time".to_owned(),
        tokens: vec![5],
        new_tokens: 1,
        prompt_tokens: 2,
        finish: Finish::Stop,
        logprobs: vec![Logprob {
            token: 5,
            logprob: -0.5,
            top: vec![(5, -0.5)],
        }],
        ..Generated::default()
    };
    let replies = [
        serde_json::to_value(Embedded {
            vectors: vec![vec![1.0, 0.0]],
            dimension: 2,
            truncated: 0,
            identity: None,
        }),
        serde_json::to_value(Ranked {
            order: vec![0],
            scores: vec![0.5],
            truncated: 1,
        }),
        serde_json::to_value(&generated),
        serde_json::to_value(Refusal {
            code: "model.input".to_owned(),
            message: "no".to_owned(),
            hint: "yes".to_owned(),
        }),
    ];
    let replies = replies.map(Result::unwrap);
    let expected = [
        json!({"vectors": [[1.0, 0.0]], "dimension": 2, "truncated": 0}),
        json!({"order": [0], "scores": [0.5], "truncated": 1}),
        json!({"text": "on a time", "tokens": [5], "new_tokens": 1, "prompt_tokens": 2, "prompt_truncated": 0,
            "cached_tokens": 0, "finish": "stop", "logprobs": [{"token": 5, "logprob": -0.5, "top": [[5, -0.5]]}]}),
        json!({"code": "model.input", "message": "no", "hint": "yes"}),
    ];
    assert_eq!(replies, expected);
    assert_eq!(
        serde_json::from_value::<Generated>(replies[2].clone()).unwrap(),
        generated
    );
}
