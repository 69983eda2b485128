//! The shipped search for a configuration, with small numbers and the real worker.

use std::{fs, io::Write as _};

use serde_json::Value;

use super::support::{Project, root, torch};

const DAG: &str = "\
apiVersion: twinloom/v1
kind: Dag
name: tuned
pools: {torch: 2}
steps:
  collect:
    uses: scrape
    with: {sources: [{kind: folder, path: writing}], author: Ada}
    out: {documents: raw_documents}
  clean:
    uses: clean
    in: {documents: collect.documents}
    out: {documents: cleaned_documents}
  instruct:
    uses: instruct
    in: {documents: clean.documents}
    out: {instruct: instruct}
  tokenizer:
    uses: tokenizer
    in: {documents: clean.documents}
    with: {vocab_size: 512}
    out: {tokenizer: small_tokenizer}
  base:
    uses: train
    in: {documents: clean.documents, instruct: instruct.instruct, tokenizer: tokenizer.tokenizer}
    with: {method: pretrain, size: tiny, steps: 5, context: 64, eval_every: 0}
    out: {model: small}
  tune:
    uses: pipeline/tuning
    in: {instruct: instruct.instruct, base: base.model}
";

const WORDS: [&str; 24] = [
    "river", "garden", "letter", "window", "market", "winter", "bridge", "copper", "orchard", "station",
    "violin", "harbour", "lantern", "meadow", "kitchen", "mountain", "paper", "shadow", "thunder", "village",
    "whistle", "cellar", "engine", "forest",
];

/// Some sentences of which no two documents have the same.
fn document(n: usize) -> String {
    let word = |k: usize| WORDS[(n * 7 + k * k * 5 + n * k) % WORDS.len()];
    let sentence = |k: usize| {
        format!(
            "The {} of the {} stood by the {} for {} days. ",
            word(3 * k),
            word(3 * k + 1),
            word(3 * k + 2),
            n * 13 + k
        )
    };
    format!(
        "# On the {}\n\n{}\n",
        word(n),
        (0..6).map(sentence).collect::<String>()
    )
}

/// Ids and metrics of the search's tasks in a state.
fn trials<'a>(run: &'a Value, state: &str) -> Vec<(&'a str, &'a Value)> {
    let tasks = run["tasks"].as_array().unwrap().iter();
    tasks
        .filter(|task| task["id"].as_str().unwrap().starts_with("tune/") && task["state"] == state)
        .map(|task| (task["id"].as_str().unwrap(), &task["metrics"]))
        .collect()
}

#[test]
fn the_shipped_search_gives_the_best_adapter_and_takes_it_again() {
    if torch().is_none() {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: twinloom-torch is not built: run `make test`"
        );
        return;
    }
    let project = Project::new();
    for n in 0..60 {
        project.write(&format!("writing/{n}.md"), &document(n));
    }
    let mut pipeline = fs::read_to_string(root().join("pipelines/tuning.yaml")).unwrap();
    for (shipped, small) in [
        ("random: 9", "random: 3"),
        (
            "min: 20, max: 180, factor: 3, min_gain: 0.002",
            "min: 2, max: 6, factor: 3",
        ),
    ] {
        assert!(pipeline.contains(shipped), "{pipeline}");
        pipeline = pipeline.replace(shipped, small);
    }
    project.write("pipelines/tuning.yaml", &pipeline);
    project.write("dag.yaml", DAG);

    let first = project.json(&["run", "dag.yaml"]);
    assert_eq!(first["status"], "succeeded", "{first}");
    let ran = trials(&first, "succeeded");
    let rung = |steps: u32| {
        let end = format!("steps={steps}]");
        ran.iter()
            .filter(|(id, _)| id.ends_with(&end))
            .collect::<Vec<_>>()
    };
    assert_eq!((rung(2).len(), rung(6).len(), ran.len()), (3, 1, 4), "{ran:?}");
    let trial = |id: &str| id.split(',').next().unwrap().to_owned();
    let loss = |metrics: &Value| metrics["eval_loss"].as_f64().unwrap();
    let best = rung(2)
        .into_iter()
        .min_by(|a, b| loss(a.1).total_cmp(&loss(b.1)))
        .unwrap();
    let winner = rung(6)[0];
    assert_eq!(trial(winner.0), trial(best.0), "the best of a rung goes on");
    assert_ne!(loss(rung(2)[0].1), loss(rung(2)[1].1), "configurations differ");

    let second = project.json(&["run", "dag.yaml"]);
    let (again, others) = (trials(&second, "cached"), trials(&second, "succeeded"));
    assert_eq!(again.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [winner.0]);
    assert!(others.is_empty(), "{others:?}");
    let shown = project.json(&["model", "show", "tuned"]);
    assert_eq!(shown["base"]["name"], "small", "{shown}");
}
