//! Repositories that are reached over HTTP.

use std::{fs, path::Path};

use twinloom_sdk::{Assignment, Secrets};

use super::{
    git::{bare, commit, git, head, repository},
    *,
};

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
            json!({"kind": "git", "url": format!("http://a%64a@{host}/loom.git"), "allow_private": true});
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
    let told = format!("{error:?} {}", home.log());
    assert!(!told.contains("wrong-token"), "{told}");
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
            wiremock::ResponseTemplate::new(200).set_body_string("<html>\na page\n</html>\n"),
            ErrorKind::Config,
        ),
        // To git, a line alone is a list of branches without a HEAD.
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
    assert!(
        home.log().contains("names no commit as its HEAD"),
        "{}",
        home.log()
    );
}

#[tokio::test]
async fn objects_of_another_hash_are_no_passing_trouble() {
    let home = Home::new().await;
    let root = home.path().join("repo");
    fs::create_dir_all(&root).unwrap();
    git(&root, &["init", "-q", "--object-format=sha256"]);
    commit(&root, "Set up the loom");
    let server = serve(&root, None).await;
    let source = json!({"kind": "git", "url": format!("{}/loom.git", server.uri()), "allow_private": true});
    let error = fails_on(&home, source).await;
    assert_error(&error, ErrorKind::Config, "scrape.git_unreadable", "/loom.git");
    assert!(error.hint.contains("SHA-256"), "{error:?}");
    let (_, rows) = scrape(&home, json!({"sources": [{"kind": "git", "url": root}]})).await;
    assert_eq!(rows.column("title"), [Some("Set up the loom".to_owned())]);
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
    let mut backend = bare(root)
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
