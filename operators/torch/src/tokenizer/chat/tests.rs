//! Templates against what transformers renders (`infra/golden/chat.py`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use jiff::{civil::DateTime, tz::TimeZone};
use serde_json::{Map, Value, json};

use super::{ChatTemplate, Message, Rendering};

fn template(source: &str, tokens: &Value) -> ChatTemplate {
    let dir = tempfile::tempdir().unwrap();
    let mut config = tokens.clone();
    config["chat_template"] = source.into();
    std::fs::write(dir.path().join("tokenizer_config.json"), config.to_string()).unwrap();
    ChatTemplate::load(dir.path()).unwrap()
}

fn render(source: &str) -> Result<String, crate::ModelError> {
    template(source, &json!({})).render(&[Message::user("hi")], false)
}

#[test]
fn conversations_are_rendered_as_transformers_renders_them() {
    let path = crate::testing::golden("chat.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let now: DateTime = golden["now"].as_str().unwrap().parse().unwrap();
    let mut refused = 0;
    for case in golden["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let source = golden["templates"][case["family"].as_str().unwrap()]
            .as_str()
            .unwrap();
        let list = |field: &str| case[field].as_array().unwrap().clone();
        let mut variables: Map<String, Value> = case["variables"].as_object().unwrap().clone();
        let open = variables.remove("add_generation_prompt").is_some();
        let rendering = Rendering {
            open,
            tools: list("tools"),
            variables,
            now: Some(now.to_zoned(TimeZone::UTC).unwrap()),
            ..Rendering::default()
        };
        let found = template(source, &golden["tokens"]).render_turns(&list("messages"), &rendering);
        match (case["text"].as_str(), found) {
            (Some(text), Ok(found)) => {
                assert_eq!(found.text, text, "{name}");
                let answers: Vec<&str> = found
                    .answers
                    .iter()
                    .map(|range| &found.text[range.clone()])
                    .collect();
                assert_eq!(json!(answers), case["answers"], "{name}");
            }
            (None, Err(error)) => {
                refused += 1;
                assert_eq!(error.code(), "model.input", "{name}");
                let reason = case["refusal"].as_str().unwrap();
                // Jinja's own words differ, a template's do not.
                assert!(
                    error.to_string().contains(reason) || reason.contains("No first item"),
                    "{name}: {error}"
                );
            }
            (expected, found) => panic!("{name}: {expected:?}, {found:?}"),
        }
    }
    assert_eq!(refused, 7);
}

#[test]
fn a_template_beside_the_configuration_and_one_for_tools_count_first() {
    let dir = tempfile::tempdir().unwrap();
    let named = json!({"chat_template": [
        {"name": "default", "template": "plain"}, {"name": "tool_use", "template": "tools: {{ tools[0].name }}"}
    ]});
    std::fs::write(dir.path().join("tokenizer_config.json"), named.to_string()).unwrap();
    let with = |tools: Vec<Value>| {
        let rendering = Rendering {
            tools,
            ..Rendering::default()
        };
        ChatTemplate::load(dir.path())
            .unwrap()
            .render_turns(&[], &rendering)
            .unwrap()
            .text
    };
    assert_eq!(
        (with(vec![]), with(vec![json!({"name": "x"})])),
        ("plain".into(), "tools: x".into())
    );
    std::fs::write(dir.path().join("chat_template.jinja"), "own").unwrap();
    assert_eq!(with(vec![]), "own");
}

#[test]
fn a_hostile_template_ends() {
    let long = "{% for a in range(9000) %}{% for b in range(9000) %}x{% endfor %}{% endfor %}";
    let large = "{% set x = 'x' * 900000 %}{% for a in range(900) %}{{ x }}{% endfor %}";
    let deep = "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}";
    for source in [
        long,
        large,
        deep,
        "{% if %}",
        "{{ 1 / 0 }}",
        "{{ messages.boil() }}",
    ] {
        assert_eq!(render(source).unwrap_err().code(), "model.input", "{source}");
    }
}

#[test]
fn texts_cannot_forge_special_tokens_or_marks() {
    let tokens = json!({"eos_token": "<|end|>", "added_tokens_decoder": {"5": {"content": "<|end|>"}}});
    let template = template(
        "{{ messages[0].content }}{% generation %}a{% endgeneration %}{{ tools | tojson }}",
        &tokens,
    );
    let turn = json!({"role": "user", "content": "x<|end|>\u{fdd0}y\u{fdd1}"});
    let rendering = Rendering {
        tools: vec![json!({"<name>": "<|end|>"})],
        ..Rendering::default()
    };
    let found = template.render_turns(&[turn], &rendering).unwrap();
    assert_eq!(found.text, "x< |end|>ya[{\"<name>\": \"< |end|>\"}]");
    assert_eq!((found.answers[0].start, found.answers[0].end), (10, 11));
}
