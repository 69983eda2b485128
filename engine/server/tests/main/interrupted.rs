//! Writes whose caller leaves, or whose server ends, before the answer.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use twinloom_meta::{AuditRow, KeptAnswer};

use crate::{
    roles::{token, user},
    support::{GREET, Running, listen, until},
};

fn claim(key: &str, owner: &str) -> KeptAnswer {
    KeptAnswer {
        key: key.to_owned(),
        fingerprint: "of some request".to_owned(),
        at: Timestamp::now(),
        owner: owner.to_owned(),
        status: None,
        content_type: None,
        body: None,
    }
}

async fn is_noted(server: &Running) -> bool {
    let audit = server.meta().audit(10).await.unwrap();
    let made = |row: &AuditRow| row.action == "api.create_user" && row.by == "root";
    audit.iter().any(made)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_goes_to_its_end_when_its_caller_hangs_up() {
    let server = Running::start(&[]).await;
    user(&server, None, "root", &["admin"]).await;
    let root = token(&server, "root", &["read", "admin"]).await;
    // Making a user takes its time: the password is hashed.
    let body = json!({ "name": "bob", "roles": ["viewer"], "password": "correct horse battery" });
    let text = body.to_string();
    let head = format!(
        "POST /api/v1/users HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {root}\r\nidempotency-key: once\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        text.len()
    );
    let mut stream = TcpStream::connect(server.base.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    stream.write_all((head + &text).as_bytes()).await.unwrap();
    until("the write", async || {
        !server.meta().open_claims().await.unwrap().is_empty() || server.meta().user("bob").await.is_ok()
    })
    .await;
    drop(stream);
    let again = || {
        server
            .request(Method::POST, "/api/v1/users")
            .bearer_auth(&root)
            .header("idempotency-key", "once")
            .json(&body)
    };
    for _ in 0..1_000 {
        let answer = again().send().await.unwrap();
        if answer.status() == StatusCode::CONFLICT {
            let problem: Value = answer.json().await.unwrap();
            assert_eq!(problem["code"], "request.in_progress", "{problem}");
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        assert_eq!(answer.status(), StatusCode::CREATED);
        assert_eq!(answer.headers()["idempotency-replayed"], "true");
        assert_eq!(answer.json::<Value>().await.unwrap()["name"], "bob");
        // Noted after the answer was kept.
        until("the note", async || is_noted(&server).await).await;
        return server.stop().await;
    }
    panic!("the key stayed taken");
}

/// What a start of the server does to what the last one left.
async fn start_once_more(server: &Running) {
    let started = listen(&server.service, "127.0.0.1:0").await;
    started.ok().unwrap().shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_servers_that_are_gone_are_free_at_the_next_start() {
    let server = Running::start(&[("greet", GREET)]).await;
    let meta = server.meta();
    let (gone, here) = (
        "a-host/a-boot/1/1/gone".to_owned(),
        server.service.engine().owner(),
    );
    for (key, owner) in [("local\ngone", gone), ("local\nhere", here)] {
        let old = Timestamp::UNIX_EPOCH;
        assert_eq!(
            meta.claim_answer(&claim(key, &owner), old, old).await.unwrap(),
            None
        );
    }
    // Elsewhere it might still run, as far as one can tell: it said so a moment ago.
    start_once_more(&server).await;
    assert_eq!(meta.open_claims().await.unwrap().len(), 2);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let owner = format!("{}/a-boot/1/1/gone", host.trim().replace('/', "-"));
    let old = Timestamp::UNIX_EPOCH;
    assert_eq!(
        meta.claim_answer(&claim("local\nours", &owner), old, old)
            .await
            .unwrap(),
        None
    );
    start_once_more(&server).await;
    let mut open: Vec<String> = meta
        .open_claims()
        .await
        .unwrap()
        .into_iter()
        .map(|claim| claim.key)
        .collect();
    open.sort();
    assert_eq!(open, ["local\ngone", "local\nhere"]);
    let write = |key: &str| {
        server
            .request(Method::POST, "/api/v1/dags/greet/runs")
            .header("idempotency-key", key)
            .json(&json!({}))
    };
    assert_eq!(server.answer(write("ours")).await.0, StatusCode::CREATED);
    assert_eq!(
        server.answer(write("here")).await.1["code"],
        "request.idempotency_key"
    );
    server.stop().await;
}
