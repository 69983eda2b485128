//! Files: the starter project, validation, formatting, schemas, completions.

use super::support::{Project, root};

#[test]
fn the_starter_is_valid_and_formatted_and_nothing_is_overwritten() {
    let project = Project::new();
    let written = project.json(&["init", "mine"]);
    assert_eq!(written["written"].as_array().unwrap().len(), 7);
    project.ok(&[
        "validate",
        "mine/dags/twin.yaml",
        "mine/pipelines/features.yaml",
        "mine/pipelines/release.yaml",
    ]);
    project.ok(&["fmt", "--check", "mine/dags/twin.yaml"]);
    std::fs::write(project.path("mine/README.md"), "my own words").unwrap();
    let again = project.json(&["init", "mine"]);
    assert!(again["written"].as_array().unwrap().is_empty());
    assert_eq!(
        std::fs::read_to_string(project.path("mine/README.md")).unwrap(),
        "my own words"
    );
}

#[test]
fn the_files_of_this_repository_are_valid_and_formatted() {
    let project = Project::new();
    let files: Vec<String> = ["dags", "pipelines"]
        .iter()
        .flat_map(|dir| std::fs::read_dir(root().join(dir)).unwrap())
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect();
    assert!(files.len() >= 4);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    project.ok(&[&["validate"], files.as_slice()].concat());
    project.ok(&[&["fmt", "--check"], files.as_slice()].concat());
}

#[test]
fn every_error_of_a_file_is_shown_at_its_place() {
    let project = Project::new();
    project.write(
        "bad.yaml",
        "apiVersion: twinloom/v1\nkind: Dag\nname: bad\nstepz: {}\nsteps:\n  a:\n    uses: scrap\n  b:\n    uses: clean\n    in: {documents: c.documents}\n",
    );
    let ran = project.run(&["validate", "bad.yaml"]);
    assert_eq!(ran.code, 2);
    for expected in ["bad.yaml:4:1", "bad.yaml:7:11", "bad.yaml:10:", "scrape", "steps"] {
        assert!(
            ran.stderr.contains(expected),
            "{expected} is not in\n{}",
            ran.stderr
        );
    }
    let document: serde_json::Value = project.run(&["validate", "bad.yaml", "--json"]).last_json();
    assert_eq!(document[0]["valid"], false);
    assert!(document[0]["error"]["details"].as_array().unwrap().len() >= 3);
}

#[test]
fn plan_says_what_would_run_and_why() {
    let project = Project::new();
    project.write("writing/a.md", "# A\n\nSome words of mine.\n");
    project.write("dag.yaml", super::incremental::TEXT_DAG);
    let before = project.json(&["plan", "dag.yaml"]);
    assert_eq!(before[0]["task"], "collect");
    assert_eq!(before[0]["would"], "run");
    project.ok(&["run", "dag.yaml"]);
    let after = project.ok(&["plan", "dag.yaml"]);
    assert!(
        after.stdout.contains("collect") && after.stdout.contains("WHY"),
        "{}",
        after.stdout
    );
}

#[test]
fn schemas_operators_and_completions_are_printed() {
    let project = Project::new();
    let schema: serde_json::Value = serde_json::from_str(&project.ok(&["schema"]).stdout).unwrap();
    assert!(schema.is_object());
    let scrape: serde_json::Value = serde_json::from_str(&project.ok(&["schema", "scrape"]).stdout).unwrap();
    assert!(scrape.to_string().contains("sources"));
    let all = project.ok(&["operators"]).stdout;
    for name in [
        "approve",
        "chunk",
        "clean",
        "command",
        "embed",
        "evaluate",
        "index",
        "instruct",
        "promote",
        "retrieve",
        "scrape",
        "tokenizer",
        "train",
    ] {
        assert!(
            all.lines().any(|line| line.starts_with(name)),
            "{name} is not in\n{all}"
        );
    }
    assert!(project.ok(&["completions", "bash"]).stdout.contains("_twinloom"));
    assert_eq!(project.run(&["operators", "no-such"]).code, 3);
    assert_eq!(project.run(&["no-such-command"]).code, 2);
}
