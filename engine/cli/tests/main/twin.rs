//! The main job on real writing: from documents to an approved, promoted model that answers with citations.

use std::{collections::HashSet, io::Write as _};

use serde_json::{Value, json};

use super::support::{Project, embedder, root, shared_data, state, torch};

/// Rows of a dataset, as JSON.
fn rows(project: &Project, name: &str) -> Vec<Value> {
    let text = project
        .ok(&["dataset", "head", name, "-n", "100000", "--json"])
        .stdout;
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or("")
}

#[test]
fn real_articles_and_posts_become_a_promoted_model() {
    let Some(data) = shared_data() else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: no real articles and posts: set TWINLOOM_SHARED to a folder with data/articles.jsonl"
        );
        return;
    };
    if torch().is_none() || embedder().is_none() {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: twinloom-torch is not built, or the embedder's weights are not there: run `make test`"
        );
        return;
    }
    let project = Project::new();
    let sources = json!([
        { "kind": "jsonl", "path": data.join("articles.jsonl"), "category": "article" },
        { "kind": "jsonl", "path": data.join("posts.jsonl"), "category": "post" },
    ]);
    let dag = root().join("dags/twin.yaml").display().to_string();
    let sources = format!("sources={sources}");
    let arguments = ["run", &dag, "--param", &sources, "--approve-as", "tester"];
    let run = project.json(&arguments);
    assert_eq!(run["status"], "succeeded", "{run}");

    nothing_is_lost(&project);
    cleaned_is_clean(&project);
    chunks_hold_every_document(&project);
    let evaluation = rows(&project, "evaluation");
    let loss = |subject: &str| {
        let row = evaluation
            .iter()
            .find(|row| row["metric"] == "held_out_loss" && row["subject"] == subject);
        row.unwrap_or_else(|| panic!("{evaluation:?}"))["value"]
            .as_f64()
            .unwrap()
    };
    assert!(loss("candidate") < loss("base"), "{evaluation:?}");

    let model = project.json(&["model", "show", "twin@production"]);
    assert!(
        model["inputs"]
            .as_array()
            .unwrap()
            .iter()
            .any(|input| input["name"] == "instruct"),
        "{model}"
    );
    let answer = project.json(&["ask", "What is a feature store?", "--max-tokens", "24"]);
    assert!(!answer["citations"].as_array().unwrap().is_empty(), "{answer}");
    assert_eq!(answer["model"]["name"], "twin");
    assert!(!text(&answer, "text").is_empty(), "{answer}");

    let again = project.json(&arguments);
    for task in [
        "features/embed",
        "training/train",
        "release/evaluate",
        "release/approve",
    ] {
        assert_eq!(state(&again, task), "cached", "{again}");
    }
}

fn nothing_is_lost(project: &Project) {
    let raw = rows(project, "raw_documents");
    let cleaned = rows(project, "cleaned_documents");
    let ids = |rows: &[Value]| {
        rows.iter()
            .map(|row| text(row, "id").to_owned())
            .collect::<HashSet<_>>()
    };
    let of = |category: &str| raw.iter().filter(|row| row["category"] == category).count();
    assert_eq!((of("article"), of("post")), (50, 49));
    assert_eq!(ids(&raw), ids(&cleaned));
}

/// Lines that are the chrome of a site and not an author's words.
const CHROME: [&str; 9] = [
    "Subscribe",
    "SubscribeSign in",
    "Sign in",
    "Sign up",
    "Share this post",
    "Copy link",
    "Ready for more?",
    "Start WritingGet the app",
    "This site requires JavaScript to run correctly. Please turn on JavaScript or",
];

fn cleaned_is_clean(project: &Project) {
    for row in rows(project, "cleaned_documents") {
        let body = text(&row, "text");
        assert!(!body.trim().is_empty(), "{row}");
        if row["category"] == "article" {
            let chrome = body.lines().map(str::trim).find(|line| CHROME.contains(line));
            assert_eq!(chrome, None, "in {}", text(&row, "link"));
            assert!(
                !body.contains("Open in appSign up") && !body.contains("To make Medium work"),
                "{}",
                text(&row, "link")
            );
        } else {
            let styled = body.chars().find(|c| ('\u{1d400}'..='\u{1d7ff}').contains(c));
            assert_eq!(styled, None, "{body}");
        }
    }
}

fn chunks_hold_every_document(project: &Project) {
    let mut chunks = rows(project, "chunks");
    chunks.sort_by_key(|row| (text(row, "document_id").to_owned(), row["chunk"].as_i64()));
    for document in rows(project, "cleaned_documents") {
        let own = chunks.iter().filter(|row| row["document_id"] == document["id"]);
        let whole: String = own.map(|row| text(row, "text")).collect();
        assert_eq!(whole, text(&document, "text"));
    }
}
