use std::{fs, path::Path, process::Command};

use super::*;

pub fn git(root: &Path, arguments: &[&str]) {
    git_at(root, "2024-05-09T00:00:00Z", arguments);
}

/// git in a folder, with nothing of whoever runs the tests: a name in the environment stands before one in the
/// arguments, and a hook's `GIT_DIR` is another repository.
pub fn bare(root: &Path) -> Command {
    let mut git = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            git.env_remove(&name);
        }
    }
    git.env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .current_dir(root);
    git
}

/// As if the time were another.
fn git_at(root: &Path, now: &str, arguments: &[&str]) {
    let done = bare(root)
        .args([
            "-c",
            "user.name=Ada Vale",
            "-c",
            "user.email=ada@looms.example",
            "-c",
            "init.defaultBranch=main",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(arguments)
        .env("GIT_AUTHOR_DATE", now)
        .env("GIT_COMMITTER_DATE", now)
        .output()
        .expect("git is installed");
    assert!(
        done.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

pub fn commit(root: &Path, message: &str) {
    git(root, &["add", "-A"]);
    git(root, &["commit", "-q", "--allow-empty", "-m", message]);
}

/// A repository with two commits.
pub fn repository(home: &Home) -> std::path::PathBuf {
    let root = home.path().join("repo");
    fs::create_dir_all(root.join("src")).unwrap();
    git(&root, &["init", "-q"]);
    fs::write(root.join("README.md"), "# Loom\n\nWords.\n").unwrap();
    fs::write(root.join("src/lib.rs"), "fn weave() {}\n").unwrap();
    fs::write(root.join("thread -x \n.txt"), "An odd name.\n").unwrap();
    fs::write(root.join("Cargo.lock"), "generated\n").unwrap();
    fs::write(root.join("logo.png"), b"\x89PNG\0").unwrap();
    fs::write(root.join("fake.md"), b"\0\0\0").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", root.join("host.md")).unwrap();
    commit(
        &root,
        "Set up the loom\n\nIt was broken, and now it is not.\n\nSigned-off-by: Ada Vale <ada@looms.example>",
    );
    git(
        &root,
        &[
            "-c",
            "user.name=renovate[bot]",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "Update threads",
        ],
    );
    root
}

#[tokio::test]
async fn files_are_articles_and_code_and_messages_are_posts() {
    let home = Home::new().await;
    let root = repository(&home);
    let (ended, rows) = scrape(
        &home,
        json!({"author": "Ada", "sources": [{"kind": "git", "url": root}]}),
    )
    .await;
    let categories: Vec<_> = rows.by("title", "category").into_iter().collect();
    let expected = [
        ("Loom", "article"),
        ("Set up the loom", "post"),
        ("src/lib.rs", "code"),
        ("thread -x \n.txt", "article"),
    ];
    assert_eq!(
        categories,
        expected.map(|(title, category)| (title.to_owned(), category.to_owned()))
    );
    assert_eq!(
        rows.by("title", "text")["Set up the loom"],
        "Set up the loom\n\nIt was broken, and now it is not."
    );
    assert_eq!(rows.by("title", "author")["Set up the loom"], "Ada Vale");
    assert_eq!(ended.metrics["skipped_binary"], 1);

    fs::write(root.join("README.md"), "# Loom\n\nOther words, not committed.\n").unwrap();
    fs::remove_file(root.join("src/lib.rs")).unwrap();
    let (_, edited) = scrape(
        &home,
        json!({"author": "Ada", "sources": [{"kind": "git", "url": root}]}),
    )
    .await;
    assert!(edited.by("title", "text")["Loom"].contains("Other words"));
    assert!(!edited.column("title").contains(&Some("src/lib.rs".to_owned())));
    assert_eq!(
        edited.by("title", "id")["Loom"],
        rows.by("title", "id")["Loom"],
        "an edit keeps the id"
    );

    for source in [
        json!({"kind": "git", "url": root, "worktree": false}),
        json!({"kind": "git", "url": root, "revision": "HEAD~1"}),
    ] {
        let (_, committed) = scrape(&home, json!({"author": "Ada", "sources": [source]})).await;
        assert_eq!(committed.by("title", "text"), rows.by("title", "text"));
        assert_eq!(committed.by("title", "id"), rows.by("title", "id"));
    }
}

#[tokio::test]
async fn parts_can_be_left_out() {
    let home = Home::new().await;
    let root = repository(&home);
    let source = json!({"kind": "git", "url": root, "documents": false, "code": false, "skip_bots": false, "strip_trailers": false});
    let (_, rows) = scrape(&home, json!({"sources": [source]})).await;
    assert_eq!(rows.count(), 2);
    assert!(
        rows.by("title", "text")["Set up the loom"].ends_with("Signed-off-by: Ada Vale <ada@looms.example>")
    );
    let (_, rows) = scrape(
        &home,
        json!({"sources": [{"kind": "git", "url": root, "commits": false, "include": ["src/"]}]}),
    )
    .await;
    assert_eq!(rows.column("link"), [Some("src/lib.rs".to_owned())]);
}

#[tokio::test]
async fn a_repository_runs_nothing_of_its_own() {
    let home = Home::new().await;
    let root = repository(&home);
    let trap = home.path().join("trapped");
    let script = home.path().join("trap.sh");
    fs::write(&script, format!("#!/bin/sh\ntouch {}\ncat\n", trap.display())).unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let script = script.to_str().unwrap();
    fs::write(root.join(".gitattributes"), "* filter=trap diff=trap\n").unwrap();
    commit(&root, "Set a trap");
    for key in [
        "core.fsmonitor",
        "filter.trap.smudge",
        "filter.trap.clean",
        "diff.trap.textconv",
        "diff.external",
        "gpg.program",
        "core.pager",
        "core.sshCommand",
    ] {
        git(&root, &["config", key, script]);
    }
    git(&root, &["config", "log.showSignature", "true"]);
    for worktree in [true, false] {
        scrape(
            &home,
            json!({"sources": [{"kind": "git", "url": root, "worktree": worktree}]}),
        )
        .await;
    }
    assert!(!trap.exists(), "something of the repository's configuration ran");
    let log = home.log();
    assert!(
        !log.contains("files are left out"),
        "hidden files are not told of: {log}"
    );
}

#[tokio::test]
async fn bad_repositories_are_named() {
    let home = Home::new().await;
    let root = repository(&home);
    let bare = home.path().join("empty");
    fs::create_dir(&bare).unwrap();
    let git_source = |url: &str| json!({"kind": "git", "url": url});
    let cases = [
        (
            git_source(bare.to_str().unwrap()),
            ErrorKind::Data,
            "scrape.git_unreadable",
            "empty",
        ),
        (
            git_source("/no/such/place"),
            ErrorKind::Config,
            "scrape.file_missing",
            "/no/such/place",
        ),
        (
            git_source("ext::sh -c true"),
            ErrorKind::Config,
            "scrape.file_missing",
            "ext::",
        ),
        (
            git_source("ssh://host/repo"),
            ErrorKind::Config,
            "scrape.git_address",
            "ssh://host/repo",
        ),
        (
            git_source("git@host:repo"),
            ErrorKind::Config,
            "scrape.git_address",
            "git@host:repo",
        ),
        (
            git_source("--upload-pack=x"),
            ErrorKind::Config,
            "scrape.git_address",
            "--upload-pack=x",
        ),
        (
            git_source("http://127.0.0.1:1/repo"),
            ErrorKind::Config,
            "scrape.http_private",
            "127.0.0.1",
        ),
        (
            json!({"kind": "git", "url": root, "revision": "nope"}),
            ErrorKind::Config,
            "scrape.git_revision",
            "nope",
        ),
        (
            json!({"kind": "git", "url": root, "revision": "--all"}),
            ErrorKind::Config,
            "scrape.git_revision",
            "revision",
        ),
    ];
    for (source, kind, code, names) in cases {
        assert_error(&fails_on(&home, source).await, kind, code, names);
    }
    git(&bare, &["init", "-q"]);
    let error = fails_on(&home, git_source(bare.to_str().unwrap())).await;
    assert_error(&error, ErrorKind::Data, "scrape.empty_source", "empty");
}

/// The object that a revision names.
pub fn head(root: &Path, revision: &str) -> String {
    let printed = bare(root).args(["rev-parse", revision]).output().unwrap();
    String::from_utf8(printed.stdout).unwrap().trim().to_owned()
}

/// Removes a loose object.
fn lose(root: &Path, object: &str) {
    fs::remove_file(root.join(".git/objects").join(&object[..2]).join(&object[2..])).unwrap();
}

#[tokio::test]
async fn a_damaged_history_is_an_error_and_no_shorter_one() {
    let home = Home::new().await;
    let root = repository(&home);
    let source = json!({"kind": "git", "url": root, "skip_bots": false});
    scrape(&home, json!({"sources": [source.clone()]})).await;
    lose(&root, &head(&root, "HEAD~1"));
    let error = fails_on(&home, source).await;
    assert_error(&error, ErrorKind::Data, "scrape.git_unreadable", "the history");
    assert!(error.hint.contains("git fsck"), "{error:?}");

    let whole = Home::new().await;
    let root = repository(&whole);
    lose(&root, &head(&root, "HEAD:README.md"));
    let source = json!({"kind": "git", "url": root, "worktree": false, "commits": false});
    let error = fails_on(&whole, source).await;
    assert_error(&error, ErrorKind::Data, "scrape.git_unreadable", "README.md");
    assert!(error.hint.contains("git fsck"), "{error:?}");
}

#[tokio::test]
async fn of_a_folder_in_a_repository_that_folder_alone_is_read() {
    let home = Home::new().await;
    let root = repository(&home);
    for (path, text) in [("notes/a.md", "# A\n\nOne."), ("notes/deep/b.md", "# B\n\nTwo.")] {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), text).unwrap();
    }
    commit(&root, "Write notes");
    for worktree in [true, false] {
        let source = json!({"kind": "git", "url": root.join("notes"), "worktree": worktree});
        let (_, rows) = scrape(&home, json!({"sources": [source]})).await;
        let links: Vec<_> = rows.by("title", "link").into_iter().collect();
        let expected = [("A", "a.md"), ("B", "deep/b.md")];
        assert_eq!(
            links[..2],
            expected.map(|(title, link)| (title.to_owned(), link.to_owned()))
        );
        assert_eq!(links.len(), 3, "and the commit that changed it: {links:?}");
        assert_eq!(links[2].0, "Write notes");
        let source = json!({"kind": "git", "url": root.join("notes"), "worktree": worktree, "include": ["deep/"], "commits": false});
        let (_, rows) = scrape(&home, json!({"sources": [source]})).await;
        assert_eq!(rows.column("title"), [Some("B".to_owned())]);
    }
}

#[tokio::test]
async fn commits_further_back_than_is_read_stay() {
    let home = Home::new().await;
    let root = home.path().join("repo");
    fs::create_dir_all(&root).unwrap();
    git(&root, &["init", "-q"]);
    let write = |day: u32| {
        let now = format!("2024-05-0{day}T00:00:00Z");
        let message = format!("Day {day}");
        git_at(&root, &now, &["commit", "-q", "--allow-empty", "-m", &message]);
    };
    let titles = async |max: u32, keep: bool| {
        let source = json!({"kind": "git", "url": root, "max_commits": max, "keep": keep});
        let (_, rows) = scrape(&home, json!({"sources": [source]})).await;
        rows.by("title", "id").into_keys().collect::<Vec<_>>()
    };
    (1..=2).for_each(write);
    assert_eq!(titles(2, true).await, ["Day 1", "Day 2"]);
    (3..=4).for_each(write);
    assert_eq!(titles(2, true).await, ["Day 1", "Day 2", "Day 3", "Day 4"]);
    // A commit that is rewritten is not one that is further back.
    git(
        &root,
        &["commit", "-q", "--amend", "--allow-empty", "-m", "Day 4, better"],
    );
    assert_eq!(
        titles(2, true).await,
        ["Day 1", "Day 2", "Day 3", "Day 4, better"]
    );
    // One that was written long ago and committed today ends no window: rebased, picked, or sent by mail.
    let late = [
        "commit",
        "-q",
        "--allow-empty",
        "--date=2023-01-01T00:00:00Z",
        "-m",
        "Found again",
    ];
    git_at(&root, "2024-05-10T00:00:00Z", &late);
    assert_eq!(
        titles(2, true).await,
        ["Day 1", "Day 2", "Day 3", "Day 4, better", "Found again"]
    );
    assert_eq!(titles(2, false).await, ["Day 4, better", "Found again"]);
}
