use std::{fs, path::Path, process::Command};

use twinloom_sdk::{Assignment, Secrets};

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
    let server = serve(&root, None).await;
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

/// A server of the repository, which answers only requests with this header where one is given.
async fn serve(root: &Path, header: Option<&'static str>) -> wiremock::MockServer {
    let server = wiremock::MockServer::start().await;
    let served = root.join(".git");
    wiremock::Mock::given(wiremock::matchers::any())
        .respond_with(move |request: &wiremock::Request| {
            let sent = request
                .headers
                .get("authorization")
                .map(|value| value.to_str().unwrap());
            match header {
                Some(_) if sent.is_none() => {
                    wiremock::ResponseTemplate::new(401).insert_header("www-authenticate", "Basic")
                }
                Some(header) if sent != Some(header) => wiremock::ResponseTemplate::new(403),
                _ => http_backend(&served, request),
            }
        })
        .mount(&server)
        .await;
    server
}

fn head(root: &Path, revision: &str) -> String {
    let printed = Command::new("git")
        .args(["rev-parse", revision])
        .current_dir(root)
        .output()
        .unwrap();
    String::from_utf8(printed.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_commit_of_a_remote_repository_can_be_named() {
    let home = Home::new().await;
    let root = repository(&home);
    let first = head(&root, "HEAD~1");
    fs::write(root.join("README.md"), "# Loom\n\nLater words.\n").unwrap();
    commit(&root, "Write later words");
    git(&root, &["tag", "v2"]);
    git(&root, &["checkout", "-q", "-b", "draft", "HEAD~1"]);
    let server = serve(&root, None).await;
    let source = |revision: &str| json!({"kind": "git", "url": format!("{}/loom.git", server.uri()), "allow_private": true, "revision": revision});
    for (revision, words) in [
        (first.as_str(), "Words."),
        ("main", "Later words."),
        ("v2", "Later words."),
        ("draft", "Words."),
    ] {
        let (_, rows) = scrape(&home, json!({"sources": [source(revision)]})).await;
        assert_eq!(
            rows.by("title", "text")["Loom"],
            format!("# Loom\n\n{words}\n"),
            "{revision}"
        );
    }
    for revision in ["nope", &first[..10], &"0".repeat(40)] {
        let error = fails_on(&home, source(revision)).await;
        assert_error(&error, ErrorKind::Config, "scrape.git_revision", revision);
        assert_eq!(
            error.hint.contains("all 40 digits"),
            revision.len() == 10,
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_private_repository_is_read_with_a_token_that_is_never_told() {
    let home = Home::new().await;
    let root = repository(&home);
    // `ada:warp-and-weft`, in base64.
    let server = serve(&root, Some("Basic YWRhOndhcnAtYW5kLXdlZnQ=")).await;
    let host = server.uri().replace("http://", "");
    let source = |token: Option<&str>| {
        let mut source =
            json!({"kind": "git", "url": format!("http://ada@{host}/loom.git"), "allow_private": true});
        if let Some(token) = token {
            source["token"] = json!(token);
        }
        home.task("scrape", json!({"sources": [source]}))
            .output("documents")
    };
    let with = |task, value: &str| Assignment {
        task,
        secrets: Secrets::new([("LOOM".to_owned(), value.to_owned())].into()),
    };
    let error = home.run(source(None)).await.unwrap_err();
    assert_error(&error, ErrorKind::Config, "scrape.git_unreadable", "/loom.git");
    assert!(error.hint.contains("token"), "{error:?}");
    let error = home
        .run(with(source(Some("secret:LOOM")), "wrong-token"))
        .await
        .unwrap_err();
    assert_error(&error, ErrorKind::Config, "scrape.git_unreadable", "/loom.git");
    let error = home.run(source(Some("warp-and-weft"))).await.unwrap_err();
    assert_error(&error, ErrorKind::Config, "scrape.secret", "token");
    assert!(!format!("{error:?}").contains("warp"), "{error:?}");

    let ended = home
        .done(with(source(Some("secret:LOOM")), "warp-and-weft"))
        .await;
    let rows = Rows(home.rows(&ended.datasets["documents"]).await);
    assert!(rows.column("title").contains(&Some("Loom".to_owned())));
    let told = format!("{:?} {} {}", rows.0, home.log(), ended.metrics);
    assert!(
        !told.contains("warp-and-weft") && !told.contains("YWRh"),
        "{told}"
    );

    let clear = json!({"kind": "git", "url": "http://looms.example/loom.git", "token": "secret:LOOM"});
    let error = fails_on(&home, clear).await;
    assert_error(&error, ErrorKind::Config, "scrape.secret", "not https");
}

#[tokio::test]
async fn a_remote_that_will_not_answer_tomorrow_either_is_not_asked_again() {
    let home = Home::new().await;
    for (answer, kind) in [
        (wiremock::ResponseTemplate::new(403), ErrorKind::Config),
        (wiremock::ResponseTemplate::new(410), ErrorKind::Config),
        (
            wiremock::ResponseTemplate::new(301).insert_header("location", "/elsewhere"),
            ErrorKind::Config,
        ),
        (
            wiremock::ResponseTemplate::new(200).set_body_string("a page"),
            ErrorKind::Data,
        ),
        (wiremock::ResponseTemplate::new(429), ErrorKind::Retry),
        (wiremock::ResponseTemplate::new(503), ErrorKind::Retry),
    ] {
        let server = wiremock::MockServer::start().await;
        wiremock::Mock::given(wiremock::matchers::any())
            .respond_with(answer)
            .mount(&server)
            .await;
        let source =
            json!({"kind": "git", "url": format!("{}/loom.git", server.uri()), "allow_private": true});
        let error = fails_on(&home, source).await;
        assert_eq!(error.kind, kind, "{error:?}");
        assert!(error.message.contains("/loom.git"), "{error:?}");
    }
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
        let date = format!("--date=2024-05-0{day}T00:00:00Z");
        let message = format!("Day {day}");
        git(&root, &["commit", "-q", "--allow-empty", &date, "-m", &message]);
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
    assert_eq!(titles(2, false).await, ["Day 3", "Day 4, better"]);
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
