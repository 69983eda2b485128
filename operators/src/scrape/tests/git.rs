use std::{fs, path::Path, process::Command};

use super::*;

fn git(root: &Path, arguments: &[&str]) {
    let done = Command::new("git")
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
        .current_dir(root)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_DATE", "2024-05-09T00:00:00Z")
        .env("GIT_COMMITTER_DATE", "2024-05-09T00:00:00Z")
        .output()
        .expect("git is installed");
    assert!(
        done.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

fn commit(root: &Path, message: &str) {
    git(root, &["add", "-A"]);
    git(root, &["commit", "-q", "--allow-empty", "-m", message]);
}

/// A repository with two commits.
fn repository(home: &Home) -> std::path::PathBuf {
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

#[tokio::test]
async fn a_remote_repository_is_cloned_and_linked() {
    let home = Home::new().await;
    let root = repository(&home);
    let server = wiremock::MockServer::start().await;
    let served = root.join(".git");
    wiremock::Mock::given(wiremock::matchers::any())
        .respond_with(move |request: &wiremock::Request| http_backend(&served, request))
        .mount(&server)
        .await;
    let error = fails_on(
        &home,
        json!({"kind": "git", "url": format!("{}/none", server.uri()), "allow_private": true}),
    )
    .await;
    assert_error(&error, ErrorKind::Config, "scrape.git_unreadable", "/none");
    let url = format!(
        "{}/loom.git",
        server.uri().replace("http://", "http://user:hush@")
    );
    let (_, rows) = scrape(
        &home,
        json!({"sources": [{"kind": "git", "url": url, "allow_private": true, "max_commits": 2}]}),
    )
    .await;
    assert_eq!(
        rows.by("title", "link")["Loom"],
        format!("{}/loom/blob/HEAD/README.md", server.uri())
    );
    assert!(
        rows.by("title", "category")
            .values()
            .any(|category| category == "post")
    );
    assert!(
        !format!("{:?} {}", rows.0, home.log()).contains("hush"),
        "credentials stay out of rows and log"
    );
}

/// Answers as a git server does, by the program that comes with git.
fn http_backend(root: &Path, request: &wiremock::Request) -> wiremock::ResponseTemplate {
    use std::io::Write;
    let Some(path) = request.url.path().strip_prefix("/loom.git") else {
        return wiremock::ResponseTemplate::new(404);
    };
    let header = |name: &str| {
        request
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let mut backend = Command::new("git")
        .arg("http-backend")
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_PROJECT_ROOT", root)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", request.url.query().unwrap_or_default())
        .env("REQUEST_METHOD", request.method.as_str())
        .env("CONTENT_TYPE", header("content-type"))
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    backend.stdin.take().unwrap().write_all(&request.body).unwrap();
    let printed = backend.wait_with_output().unwrap().stdout;
    let end = printed
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("headers end");
    let headers = String::from_utf8_lossy(&printed[..end]).into_owned();
    let of = |name: &str| {
        headers
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(|value| value.trim().to_owned())
    };
    let status = of("Status:")
        .and_then(|status| status.split(' ').next()?.parse().ok())
        .unwrap_or(200);
    wiremock::ResponseTemplate::new(status).set_body_raw(
        printed[end + 4..].to_vec(),
        &of("Content-Type:").unwrap_or_default(),
    )
}
