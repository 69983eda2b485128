//! Hostile or broken input: a typed error that names the thing and the fix, and nothing published is lost.

use std::{fs, io::Write as _, process::Command};

use super::{
    incremental::TEXT_DAG,
    support::{Project, Ran, TWINLOOM},
};

/// Runs a command in mounts of its own, after `mounts`, a line of shell; `None` where this machine does not let us.
fn mounted(project: &Project, mounts: &str, arguments: &[&str]) -> Option<Ran> {
    let can = Command::new("unshare")
        .args(["--map-root-user", "--mount", "true"])
        .status();
    if !can.is_ok_and(|status| status.success()) {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: no mounts of our own here (unshare --map-root-user --mount)"
        );
        return None;
    }
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-ec"])
        .arg(format!("{mounts}\nexec \"$@\""))
        .arg("sh")
        .arg(TWINLOOM)
        .args(arguments);
    project.place(&mut command);
    command.output().map(Ran::from).ok()
}

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
    let large = fs::File::create(project.path("large.jsonl")).unwrap();
    large.set_len(1 << 30).unwrap();
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
    let blocked = Project::new();
    blocked.write("home/store", "a file");
    let ran = blocked.run(&["--home", "home", "dataset", "list"]);
    assert_ne!(ran.code, 0);
    assert!(
        ran.stderr.contains("store") && ran.stderr.contains("hint"),
        "{}",
        ran.stderr
    );

    let project = Project::new();
    project.write("writing/a.md", "# A\n\nWords.\n");
    project.write("dag.yaml", TEXT_DAG);
    project.ok(&["run", "dag.yaml"]);
    project.write("writing/b.md", "# B\n\nMore words.\n");
    // Root may write anywhere, whatever the permissions say; nobody may write to a read-only mount.
    let mounts = "mount --bind .twinloom/store .twinloom/store\nmount -o remount,ro,bind .twinloom/store";
    let Some(ran) = mounted(&project, mounts, &["run", "dag.yaml", "--json"]) else {
        return;
    };
    assert_eq!(ran.code, 1, "{}\n{}", ran.stdout, ran.stderr);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("store.denied") && said.contains("hint"), "{said}");
    project.ok(&["dataset", "head", "raw_documents@1"]);
    project.ok(&["run", "dag.yaml"]);
    project.ok(&["dataset", "head", "raw_documents@2"]);
}

#[test]
fn a_full_disk_is_an_error_and_what_was_published_stays_readable() {
    let project = Project::new();
    project.write("writing/a.md", "# A\n\nWords.\n");
    project.write("dag.yaml", TEXT_DAG);
    project.ok(&["run", "dag.yaml"]);
    // Words that do not compress, more of them than the disk has room for.
    let mut state = 1_u64;
    let words: String = (0..900_000)
        .map(|n| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if n % 9 == 8 {
                ' '
            } else {
                char::from(b'a' + u8::try_from((state >> 40) % 26).unwrap())
            }
        })
        .collect();
    for part in 0..4 {
        project.write(
            &format!("writing/{part}.md"),
            &format!("# {part}\n\n{part}{words}\n"),
        );
    }
    let mounts = "cp -r .twinloom/store kept\nmount -t tmpfs -o size=1m full .twinloom/store\ncp -r kept/. .twinloom/store";
    let Some(ran) = mounted(&project, mounts, &["run", "dag.yaml", "--json"]) else {
        return;
    };
    assert_eq!(ran.code, 1, "{}\n{}", ran.stdout, ran.stderr);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        said.contains("store.disk_full") && said.contains("hint"),
        "{said}"
    );
    project.ok(&["dataset", "head", "raw_documents@1"]);
    project.ok(&["run", "dag.yaml"]);
}

#[test]
fn a_document_of_a_gigabyte_is_named_and_not_read() {
    fails(
        "{kind: jsonl, path: large.jsonl, category: post}",
        "scrape.",
        "large.jsonl",
    );
    let project = Project::new();
    project.write("writing/good.md", "# Good\n\nWords of mine.\n");
    let large = fs::File::create(project.path("writing/large.md")).unwrap();
    large.set_len(1 << 30).unwrap();
    project.write("dag.yaml", TEXT_DAG);
    let ran = project.run(&["run", "dag.yaml", "--json"]);
    assert_eq!(ran.code, 1, "{}\n{}", ran.stdout, ran.stderr);
    let (code, message) = failure(&ran);
    assert_eq!(code, "scrape.document_too_large");
    assert!(message.contains("large.md"), "{message}");
}
