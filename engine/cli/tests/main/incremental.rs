//! The text pipeline on a folder: versions, cache, and that only what changed is done again.

use serde_json::Value;

use super::support::{Project, state};

pub const TEXT_DAG: &str = "\
apiVersion: twinloom/v1
kind: Dag
name: text
params:
  path: {type: string, default: writing}
steps:
  collect:
    uses: scrape
    with: {sources: [{kind: folder, path: \"${{ params.path }}\"}], author: Ada}
    out: {documents: raw_documents}
  clean:
    uses: clean
    in: {documents: collect.documents}
    out: {documents: cleaned_documents}
  chunk:
    uses: chunk
    in: {documents: clean.documents}
    out: {chunks: chunks}
";

fn metrics<'a>(run: &'a Value, task: &str) -> &'a Value {
    let tasks = run["tasks"].as_array().unwrap();
    &tasks.iter().find(|row| row["id"] == task).unwrap()["metrics"]
}

fn words(project: &Project, column: &str) -> Vec<String> {
    let head = project
        .ok(&["dataset", "head", "chunks", "-n", "1000", "--json"])
        .stdout;
    head.lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()[column]
                .as_str()
                .unwrap_or("")
                .to_owned()
        })
        .collect()
}

#[test]
fn a_second_run_is_cached_and_a_changed_document_alone_is_done_again() {
    let project = Project::new();
    for n in 0..5 {
        project.write(
            &format!("writing/{n}.md"),
            &format!("# Title {n}\n\nSentence number {n} of mine.\n"),
        );
    }
    project.write("dag.yaml", TEXT_DAG);
    let first = project.json(&["run", "dag.yaml"]);
    assert_eq!(first["status"], "succeeded");
    assert_eq!(metrics(&first, "clean")["mode"], "full");

    let second = project.json(&["run", "dag.yaml"]);
    assert_eq!(state(&second, "clean"), "cached");
    assert_eq!(state(&second, "chunk"), "cached");
    let versions = project.json(&["dataset", "versions", "raw_documents"]);
    assert_eq!(
        versions.as_array().unwrap().len(),
        1,
        "the same content must make no version: {versions}"
    );

    project.write("writing/3.md", "# Title 3\n\nAnother sentence.\n");
    std::fs::remove_file(project.path("writing/1.md")).unwrap();
    project.write("writing/5.md", "# Title 5\n\nA new one.\n");
    let third = project.json(&["run", "dag.yaml"]);
    for task in ["clean", "chunk"] {
        let figures = metrics(&third, task);
        assert_eq!(figures["mode"], "incremental", "{third}");
        assert_eq!(
            (
                &figures["entities_added"],
                &figures["entities_changed"],
                &figures["entities_removed"]
            ),
            (&1.into(), &1.into(), &1.into()),
            "{figures}"
        );
    }
    let text = words(&project, "text").join("\n");
    assert!(
        text.contains("Another sentence.") && text.contains("A new one."),
        "{text}"
    );
    assert!(!text.contains("number 3") && !text.contains("number 1"), "{text}");
    let diff = project.json(&["dataset", "diff", "chunks@1", "chunks@2"]);
    let count = |way: &str| diff["diff"][way].as_array().unwrap().len();
    assert_eq!((count("added"), count("changed"), count("removed")), (1, 1, 1));

    // What the increments made is what a run from nothing makes.
    let fresh = Project::new();
    for entry in std::fs::read_dir(project.path("writing")).unwrap() {
        let entry = entry.unwrap();
        fresh.write(
            &format!("writing/{}", entry.file_name().display()),
            &std::fs::read_to_string(entry.path()).unwrap(),
        );
    }
    fresh.write("dag.yaml", TEXT_DAG);
    fresh.ok(&["run", "dag.yaml"]);
    let hash = |project: &Project| project.json(&["dataset", "show", "chunks"])["content_hash"].clone();
    assert_eq!(hash(&project), hash(&fresh));
}

#[test]
fn why_show_logs_and_runs_tell_of_a_run() {
    let project = Project::new();
    project.write("writing/a.md", "# A\n\nWords.\n");
    project.write("dag.yaml", TEXT_DAG);
    project.ok(&["run", "dag.yaml"]);
    project.ok(&["run", "dag.yaml"]);
    assert_eq!(project.json(&["runs"]).as_array().unwrap().len(), 2);
    let why = project.ok(&["why", "latest", "clean"]).stdout;
    assert!(why.contains("cached"), "{why}");
    let show = project.ok(&["show", "latest"]).stdout;
    assert!(
        show.contains("succeeded") && show.contains("cleaned_documents@1"),
        "{show}"
    );
    project.ok(&["logs", "latest"]);
    assert_eq!(project.run(&["logs", "latest", "nope"]).code, 3);
    assert_eq!(project.run(&["show", "01NOSUCHRUN"]).code, 3);
}
