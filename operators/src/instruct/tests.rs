#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod rows;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Category, Config, Document, Kind, pairs};

const ARTICLE: &str = include_str!("fixtures/article.md");

fn document<'a>(category: &'a str, title: Option<&'a str>, text: &'a str) -> Document<'a> {
    Document {
        id: "d",
        category,
        commit: false,
        title,
        author: Some("Ada"),
        language: None,
        text,
    }
}

fn asked(document: &Document<'_>, config: &Config) -> Vec<(Kind, String, String)> {
    let own = |pair: super::Pair| (pair.kind, pair.instruction, document.text[pair.answer].to_owned());
    pairs(document, config).into_iter().map(own).collect()
}

#[test]
fn an_article_gives_its_opening_and_its_sections() {
    let found = asked(
        &document("article", Some("Small stores"), ARTICLE),
        &Config::default(),
    );
    let sections: Vec<_> = found.iter().filter(|(kind, ..)| *kind == Kind::Section).collect();
    assert_eq!(
        sections.len(),
        2,
        "the title is no section, and a comment in code no heading: {found:#?}"
    );
    assert!(sections[0].1.contains("Why versions"));
    assert!(sections[0].2.starts_with("Versions make") && sections[0].2.ends_with("```"));
    assert!(sections[1].2.starts_with("Space is cheap") && sections[1].2.ends_with("between versions."));
    let (_, opening, answer) = found.iter().find(|(kind, ..)| *kind == Kind::Opening).unwrap();
    assert!(
        opening.contains("Small stores") || opening.contains("version"),
        "{opening}"
    );
    assert!(answer.starts_with("A store that only"), "{answer}");
}

#[test]
fn posts_commits_and_code_are_asked_for_as_what_they_are() {
    let config = Config::default();
    let text = "Pipelines fail at night.\n\nRetries with jitter let the scheduler sleep, and retries let me sleep too.";
    let post = asked(&document("post", None, text), &config);
    assert_eq!((post[0].0, post[0].2.as_str()), (Kind::Post, text));
    assert!(post[0].1.contains("retries"), "{}", post[0].1);
    let commit = asked(
        &Document {
            commit: true,
            ..document("post", None, text)
        },
        &config,
    );
    assert_eq!((commit.len(), commit[0].0), (1, Kind::Commit));
    let code = "pub fn add(a: u8, b: u8) -> u8 {\n    a + b\n}\n\nstruct Point {\n    x: u8,\n}\n".repeat(20);
    let document = Document {
        language: Some("rust"),
        ..document("code", Some("src/math.rs"), &code)
    };
    let found = asked(
        &document,
        &Config {
            per_document: 50,
            max_answer_chars: 200,
            ..config
        },
    );
    assert!(found[0].1.contains("src/math.rs"), "{}", found[0].1);
    assert!(found.iter().any(|(kind, ..)| *kind == Kind::Complete));
    let file = found.iter().find(|(kind, ..)| *kind == Kind::File).unwrap();
    assert!(file.2.starts_with("pub fn add") && file.2.chars().count() <= 200);
}

#[test]
fn a_long_text_is_asked_about_all_over_and_templates_can_be_replaced() {
    let text: String = (0..400)
        .map(|n| format!("Sentence number {n} of a long text. "))
        .collect();
    let templates = [(
        Kind::Continue,
        vec!["{author} goes on after: {passage}".to_owned()],
    )]
    .into();
    let config = Config {
        per_document: 4,
        templates,
        max_answer_chars: 300,
        ..Config::default()
    };
    let found = pairs(&document("article", Some("Numbers"), &text), &config);
    assert_eq!(found.len(), 4);
    assert!(found.last().unwrap().answer.end > text.len() / 2);
    assert!(
        found
            .iter()
            .skip(1)
            .all(|pair| pair.instruction.starts_with("Ada goes on after: Sentence")),
        "{found:#?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_text_gives_bounded_verbatim_answers(
        text in "(# a\n|## é b\n|word |\n\n|```\n|    x\n|sentence\\. |fn f\\(\\)\n|===\n|\\PC){0,120}",
        category in "article|post|code",
        most in 32_usize..200,
        cap in 1_usize..6,
    ) {
        let config = Config { max_answer_chars: most, min_answer_chars: 4, per_document: cap, ..Config::default() };
        let document = document(&category, Some("Title"), &text);
        let found = pairs(&document, &config);
        prop_assert!(found.len() <= cap);
        for pair in &found {
            let answer = text.get(pair.answer.clone()).expect("a range of the text");
            prop_assert!((4..=most).contains(&answer.chars().count()), "{answer:?}");
            prop_assert!(!pair.instruction.is_empty() && !answer.trim().is_empty());
        }
        prop_assert_eq!(found, pairs(&document, &config));
    }
}

#[test]
fn bounds_and_placeholders_are_checked() {
    let check = |config: Value| serde_json::from_value::<Config>(config).unwrap().check();
    assert!(check(json!({})).is_ok());
    for (config, code, word) in [
        (json!({"categories": []}), "instruct.config", "categories"),
        (
            json!({"max_answer_chars": 1}),
            "instruct.config",
            "max_answer_chars",
        ),
        (
            json!({"min_answer_chars": 5000}),
            "instruct.config",
            "min_answer_chars",
        ),
        (json!({"per_document": 0}), "instruct.config", "per_document"),
        (json!({"split": {"share": 1.5}}), "instruct.config", "split.share"),
        (
            json!({"split": {"at_least": 5000}}),
            "instruct.config",
            "split.at_least",
        ),
        (
            json!({"near_duplicates": {"threshold": 0.1}}),
            "instruct.config",
            "near_duplicates.threshold",
        ),
        (
            json!({"templates": {"post": ["about {topic}"]}}),
            "instruct.template",
            "{topic}",
        ),
        (json!({"templates": {"post": []}}), "instruct.template", "post"),
    ] {
        let error = check(config).unwrap_err();
        assert!(error.code == code && error.message.contains(word), "{error}");
    }
    assert!(serde_json::from_value::<Config>(json!({"templates": {"poem": ["x"]}})).is_err());
    assert_eq!(
        serde_json::to_value(Category::Post).unwrap(),
        Category::Post.as_str()
    );
}
