use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{header_regex, method, path},
};

use twinloom_sdk::{Assignment, Secrets};

use super::*;

const PAGE: &str = "<!doctype html><html><head><title>Warp</title><meta property=\"article:published_time\" content=\"2024-05-09T00:00:00Z\"></head><body><article><h1>Warp</h1><p>Words about warp.</p><pre>a\n  b</pre></article></body></html>";

async fn serve(server: &MockServer, at: &str, answer: ResponseTemplate) {
    Mock::given(method("GET"))
        .and(path(at))
        .respond_with(answer)
        .mount(server)
        .await;
}

fn html(text: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(text.to_owned(), "text/html; charset=utf-8")
}

fn page(server: &MockServer, at: &str) -> Value {
    json!({"kind": "page", "url": format!("{}{at}", server.uri()), "allow_private": true})
}

#[tokio::test]
async fn a_page_is_kept_as_it_came() {
    let (home, server) = (Home::new().await, MockServer::start().await);
    Mock::given(path("/warp"))
        .and(header_regex("user-agent", "^twinloom/"))
        .respond_with(html(PAGE))
        .mount(&server)
        .await;
    serve(
        &server,
        "/moved",
        ResponseTemplate::new(301).insert_header("location", "/warp"),
    )
    .await;
    let latin =
        ResponseTemplate::new(200).set_body_raw(b"caf\xE9".to_vec(), "text/plain; charset=iso-8859-1");
    serve(&server, "/latin.txt", latin).await;
    // The server names no charset, the page does.
    let declares = b"<html><head><meta http-equiv=\"Content-Type\" content=\"text/html; charset=windows-1251\"><title>\xCD\xE8\xF2\xFC</title></head><body><p>\xCD\xE8\xF2\xFC</p></body></html>";
    serve(
        &server,
        "/declares",
        ResponseTemplate::new(200).set_body_raw(declares.to_vec(), "text/html"),
    )
    .await;
    // Text may quote what a page would declare.
    let quotes = "# Charsets\n\nThe café's page said `<meta charset=\"koi8-r\">`.\n";
    serve(
        &server,
        "/quotes.md",
        ResponseTemplate::new(200).set_body_raw(quotes, "text/x-markdown"),
    )
    .await;
    let file = home.path().join("quotes.md");
    std::fs::write(&file, quotes).unwrap();
    let (_, rows) = scrape(
        &home,
        json!({"author": "Ada", "sources": [page(&server, "/moved"), page(&server, "/latin.txt"), page(&server, "/declares"),
            page(&server, "/quotes.md"), {"kind": "page", "url": file}]}),
    )
    .await;
    let quoting = rows.column("text").into_iter().flatten();
    assert_eq!(quoting.filter(|text| text == quotes).count(), 2);
    assert!(
        rows.by("title", "text")["Нить"].contains("<p>Нить</p>"),
        "{:?}",
        rows.column("text")
    );
    assert_eq!(rows.by("title", "text")["Warp"], PAGE);
    assert_eq!(rows.by("title", "format")["Warp"], "html");
    assert_eq!(rows.by("title", "platform")["Warp"], "127.0.0.1");
    assert!(rows.column("text").contains(&Some("café".to_owned())));
}

#[tokio::test]
async fn robots_are_obeyed() {
    let (home, server) = (Home::new().await, MockServer::start().await);
    serve(
        &server,
        "/robots.txt",
        ResponseTemplate::new(200).set_body_string("User-agent: *\nDisallow: /private/\n"),
    )
    .await;
    serve(&server, "/private/a", html(PAGE)).await;
    serve(&server, "/open", html(PAGE)).await;
    assert_error(
        &fails_on(&home, page(&server, "/private/a")).await,
        ErrorKind::Config,
        "scrape.robots",
        "/private/a",
    );
    scrape(&home, json!({"sources": [page(&server, "/open")]})).await;
    let mut own = page(&server, "/private/a");
    own["robots"] = json!(false);
    scrape(&home, json!({"sources": [own]})).await;
}

#[tokio::test]
async fn answers_say_whose_turn_it_is() {
    let (home, server) = (Home::new().await, MockServer::start().await);
    serve(&server, "/busy", ResponseTemplate::new(503)).await;
    serve(&server, "/much", ResponseTemplate::new(429)).await;
    serve(
        &server,
        "/loop",
        ResponseTemplate::new(302).insert_header("location", "/loop"),
    )
    .await;
    serve(
        &server,
        "/file",
        ResponseTemplate::new(302).insert_header("location", "file:///etc/passwd"),
    )
    .await;
    serve(
        &server,
        "/image",
        ResponseTemplate::new(200).set_body_raw(b"\x89PNG\0".to_vec(), "image/png"),
    )
    .await;

    serve(&server, "/empty", html("")).await;
    let slow = html(PAGE).set_delay(std::time::Duration::from_secs(20));
    serve(&server, "/slow", slow).await;
    let cases = [
        ("/busy", ErrorKind::Retry, "scrape.http_busy"),
        ("/much", ErrorKind::Retry, "scrape.http_busy"),
        ("/gone", ErrorKind::Config, "scrape.http_status"),
        ("/loop", ErrorKind::Config, "scrape.http_redirects"),
        ("/file", ErrorKind::Config, "scrape.http_address"),
        ("/image", ErrorKind::Data, "scrape.binary"),
        ("/empty", ErrorKind::Data, "scrape.empty_source"),
        ("/slow", ErrorKind::Retry, "scrape.http_transport"),
    ];
    for (at, kind, code) in cases {
        let config = json!({"sources": [page(&server, at)], "limits": {"request_seconds": 2}});
        assert_error(
            &fails(&home, config).await,
            kind,
            code,
            if at == "/file" { "file:" } else { at },
        );
    }
}

#[tokio::test]
async fn no_address_of_this_machine_is_asked_unless_meant() {
    let (home, server) = (Home::new().await, MockServer::start().await);
    serve(&server, "/warp", html(PAGE)).await;
    let port = server.address().port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "10.0.0.1",
        "169.254.169.254",
        "0x7f.1",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ] {
        let error = fails_on(
            &home,
            json!({"kind": "page", "url": format!("http://{host}:{port}/warp")}),
        )
        .await;
        assert_eq!(
            (error.kind, error.code.as_str()),
            (ErrorKind::Config, "scrape.http_private"),
            "{host}: {error:?}"
        );
        let error = fails_on(
            &home,
            json!({"kind": "feed", "url": format!("http://{host}:{port}/warp")}),
        )
        .await;
        assert_eq!(error.code, "scrape.http_private", "{host}");
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_bomb_is_cut_off() {
    let (home, server) = (Home::new().await, MockServer::start().await);
    serve(&server, "/big", html(&"a".repeat(300_000))).await;
    // Stored blocks need no compressor.
    let bomb = ResponseTemplate::new(200)
        .insert_header("content-encoding", "gzip")
        .set_body_raw(gzip_of_repeats(8), "text/html");
    serve(&server, "/bomb", bomb).await;
    for at in ["/big", "/bomb"] {
        let config = json!({"sources": [page(&server, at)], "limits": {"response_bytes": 200_000}});
        assert_error(
            &fails(&home, config).await,
            ErrorKind::Data,
            "scrape.http_too_large",
            at,
        );
    }
}

/// A gzip file of so many stored blocks of 65,535 bytes.
fn gzip_of_repeats(blocks: usize) -> Vec<u8> {
    let data = vec![b'a'; 65_535 * blocks];
    let mut crc = u32::MAX;
    for byte in &data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            };
        }
    }
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for block in 1..=blocks {
        file.extend_from_slice(&[u8::from(block == blocks), 0xff, 0xff, 0, 0]);
        file.extend_from_slice(&data[..65_535]);
    }
    file.extend_from_slice(&(!crc).to_le_bytes());
    file.extend_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
    file
}

#[tokio::test]
async fn a_feed_is_read_from_its_address() {
    let (home, server) = (Home::new().await, MockServer::start().await);
    let feed =
        ResponseTemplate::new(200).set_body_raw(include_str!("../fixtures/feed.xml"), "application/atom+xml");
    serve(&server, "/feed", feed).await;
    serve(&server, "/page", html(PAGE)).await;
    let source = |at: &str| json!({"kind": "feed", "url": format!("{}{at}", server.uri()), "allow_private": true, "category": "post"});
    let (_, rows) = scrape(&home, json!({"sources": [source("/feed")]})).await;
    assert_eq!(
        (rows.count(), rows.by("title", "category")["Dyes"].as_str()),
        (2, "post")
    );
    assert_error(
        &fails_on(&home, source("/page")).await,
        ErrorKind::Data,
        "scrape.not_a_feed",
        "/page",
    );
}

#[tokio::test]
async fn headers_sign_in_at_the_host_that_is_named_and_at_no_other() {
    let (home, server, other) = (
        Home::new().await,
        MockServer::start().await,
        MockServer::start().await,
    );
    for (at, answer) in [
        ("/private", html(PAGE)),
        (
            "/feed",
            ResponseTemplate::new(200)
                .set_body_raw(include_str!("../fixtures/feed.xml"), "application/atom+xml"),
        ),
        (
            "/moved",
            ResponseTemplate::new(302).insert_header("location", format!("{}/open", other.uri())),
        ),
    ] {
        Mock::given(path(at))
            .and(header_regex("authorization", "^Bearer warp-and-weft$"))
            .respond_with(answer)
            .mount(&server)
            .await;
    }
    serve(&other, "/open", html(PAGE)).await;
    let task = |kind: &str, at: &str, headers: Value| {
        let mut source = page(&server, at);
        source["kind"] = json!(kind);
        source["headers"] = headers;
        Assignment {
            task: home
                .task("scrape", json!({"sources": [source]}))
                .output("documents"),
            secrets: Secrets::new([("LOOM".to_owned(), "Bearer warp-and-weft".to_owned())].into()),
        }
    };
    let signed = || json!({"Authorization": "secret:LOOM", "Accept-Language": "en"});
    for (kind, at) in [("page", "/private"), ("feed", "/feed"), ("page", "/moved")] {
        let ended = home.done(task(kind, at, signed())).await;
        let rows = home.rows(&ended.datasets["documents"]).await;
        let told = format!("{rows:?} {} {}", home.log(), ended.metrics);
        assert!(!told.contains("warp-and-weft"), "{told}");
    }
    let elsewhere = other.received_requests().await.unwrap();
    assert_eq!(elsewhere.len(), 1);
    assert!(
        elsewhere[0].headers.get("authorization").is_none()
            && elsewhere[0].headers.get("accept-language").is_none()
    );
    for (headers, code, names) in [
        (
            json!({"Authorization": "Bearer warp-and-weft"}),
            "scrape.secret",
            "Authorization",
        ),
        (
            json!({"X-Api-Key": "warp-and-weft"}),
            "scrape.secret",
            "X-Api-Key",
        ),
        (
            json!({"X-Words": "secret:../warp-and-weft"}),
            "scrape.secret",
            "X-Words",
        ),
        (json!({"a header": "x"}), "scrape.header", "a header"),
        (json!({"X-Words": "a\nb"}), "scrape.header", "X-Words"),
        (
            json!({"Authorization": "secret:NOT_SET_ANYWHERE"}),
            "secret.missing",
            "NOT_SET_ANYWHERE",
        ),
    ] {
        let error = home.run(task("page", "/private", headers)).await.unwrap_err();
        assert_error(&error, ErrorKind::Config, code, names);
        assert!(!format!("{error:?}").contains("warp-and-weft"), "{error:?}");
    }
    assert_error(
        &fails_on(&home, page(&server, "/private")).await,
        ErrorKind::Config,
        "scrape.http_status",
        "/private",
    );
}
