//! Hostile or broken input: a typed error that names the thing and the fix, and nothing published is lost.

use std::{fs, os::unix::fs::PermissionsExt};

use super::{
    incremental::TEXT_DAG,
    support::{Project, Ran},
};

fn failure(ran: &Ran) -> (String, String) {
    let run = ran.last_json();
    let task = run["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|task| task["state"] == "failed")
        .unwrap()
        .clone();
    let text = |key: &str| task["error"][key].as_str().unwrap().to_owned();
    assert!(!text("hint").is_empty(), "{task}");
    (text("code"), text("message"))
}

fn fails(source: &str, code: &str, names: &str) {
    let project = Project::new();
    project.write("dag.yaml", TEXT_DAG);
    project.write("empty/.keep", "");
    project.write("feed.xml", "<html><body>no feed</body></html>");
    project.write("words.jsonl", "{\"text\": 5}\n");
    let dag = TEXT_DAG.replace("{kind: folder, path: \"${{ params.path }}\"}", source);
    project.write("dag.yaml", &dag);
    let ran = project.run(&["run", "dag.yaml", "--json"]);
    assert_eq!(ran.code, 1, "{source}\n{}\n{}", ran.stdout, ran.stderr);
    let (found, message) = failure(&ran);
    assert!(found.starts_with(code), "{source}: {found}: {message}");
    assert!(message.contains(names), "{source}: {message}");
}

#[test]
fn sources_that_are_not_what_they_say() {
    fails("{kind: folder, path: missing}", "scrape.", "missing");
    fails("{kind: folder, path: empty}", "scrape.", "empty");
    fails(
        "{kind: git, url: missing-repository}",
        "scrape.",
        "missing-repository",
    );
    fails("{kind: feed, url: feed.xml}", "scrape.", "feed.xml");
    fails(
        "{kind: jsonl, path: words.jsonl, category: post}",
        "scrape.",
        "words.jsonl",
    );
    fails(
        "{kind: page, url: \"http://127.0.0.1:9/\"}",
        "scrape.",
        "127.0.0.1",
    );
}

#[test]
fn a_file_that_is_too_large_too_deep_or_an_alias_bomb_is_refused() {
    let project = Project::new();
    project.write("large.yaml", &format!("name: {}\n", "a".repeat(3 << 20)));
    project.write("deep.yaml", &"[".repeat(10_000));
    let bomb: String = (1..12).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
        let aliases = vec![format!("*a{}", n - 1); 9].join(", ");
        format!("{text}a{n}: &a{n} [{aliases}]\n")
    });
    project.write("bomb.yaml", &bomb);
    for name in ["large.yaml", "deep.yaml", "bomb.yaml"] {
        let ran = project.run(&["validate", name]);
        assert_eq!(ran.code, 2, "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(name), "{name}: {}", ran.stderr);
    }
    let missing = project.run(&["run", "no-such.yaml"]);
    assert_eq!(missing.code, 2);
    assert!(
        missing.stderr.contains("no-such.yaml") && missing.stderr.contains("hint"),
        "{}",
        missing.stderr
    );
}

#[test]
fn a_binary_posing_as_text_and_broken_utf8_do_not_stop_the_rest() {
    let project = Project::new();
    project.write("writing/good.md", "# Good\n\nWords of mine.\n");
    fs::write(
        project.path("writing/binary.md"),
        [0_u8, 159, 146, 150, 0, 1, 2, 3].repeat(64),
    )
    .unwrap();
    fs::write(
        project.path("writing/latin.md"),
        b"# Caf\xe9\n\nMore words of mine.\n",
    )
    .unwrap();
    project.write("dag.yaml", TEXT_DAG);
    project.ok(&["run", "dag.yaml"]);
    let rows = project
        .ok(&["dataset", "head", "cleaned_documents", "--json"])
        .stdout;
    assert!(
        rows.contains("Words of mine.") && rows.contains("More words of mine."),
        "{rows}"
    );
    assert!(!rows.contains("\\u0000"), "{rows}");
    let logs = project.ok(&["logs", "latest", "collect"]).stdout;
    assert!(logs.contains("binary.md"), "{logs}");
}

#[test]
fn a_store_without_write_permission_is_an_error_and_what_was_published_stays_readable() {
    // Root may write anywhere, whatever the permissions say: a file in the folder's place stops it too.
    let project = Project::new();
    project.write("writing/a.md", "# A\n\nWords.\n");
    project.write("dag.yaml", TEXT_DAG);
    project.ok(&["run", "dag.yaml"]);
    let blocked = Project::new();
    blocked.write("home/store", "a file");
    let ran = blocked.run(&["--home", "home", "dataset", "list"]);
    assert_ne!(ran.code, 0);
    assert!(
        ran.stderr.contains("store") && ran.stderr.contains("hint"),
        "{}",
        ran.stderr
    );

    let versions = project.path(".twinloom/store/datasets/raw_documents/versions");
    fs::set_permissions(&versions, fs::Permissions::from_mode(0o555)).unwrap();
    project.ok(&["dataset", "head", "raw_documents"]);
    fs::set_permissions(&versions, fs::Permissions::from_mode(0o755)).unwrap();
}
