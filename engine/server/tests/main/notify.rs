//! Notifications: told once, signed, and not to private addresses unless that is allowed.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinHandle};
use twinloom_meta::DestinationRow;

use crate::support::{Running, listen, until};

pub const FAIL: &str = r#"apiVersion: twinloom/v1
kind: Dag
name: fails
steps:
  no:
    uses: command
    executor: inline
    with: {argv: ["false"]}
    retries: {max: 0}
"#;

/// Hears what is sent by HTTP; holds each answer back until it is let go.
pub struct Ear {
    pub address: SocketAddr,
    pub heard: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
    held: Arc<Semaphore>,
    serving: JoinHandle<()>,
}

impl Ear {
    pub async fn open() -> Self {
        let ear = Self::held().await;
        ear.let_go(Semaphore::MAX_PERMITS);
        ear
    }

    pub async fn held() -> Self {
        let heard: Arc<Mutex<Vec<(HeaderMap, Value)>>> = Arc::default();
        let held = Arc::new(Semaphore::new(0));
        let (ears, wait) = (Arc::clone(&heard), Arc::clone(&held));
        let hear = async move |headers: HeaderMap, body: Bytes| {
            let message = (headers, serde_json::from_slice(&body).unwrap());
            ears.lock().unwrap().push(message);
            wait.acquire().await.unwrap().forget();
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/hook", post(hear));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            heard,
            held,
            serving,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn let_go(&self, answers: usize) {
        self.held.add_permits(answers);
    }

    pub fn messages(&self) -> Vec<Value> {
        let heard = self.heard.lock().unwrap();
        heard.iter().map(|(_, message)| message.clone()).collect()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// PUT below `/api/v1`, which must succeed.
pub async fn put(server: &Running, path: &str, body: Value) {
    let request = server.request(Method::PUT, &format!("/api/v1{path}")).json(&body);
    let (status, answer) = server.answer(request).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
}

async fn destination(server: &Running, name: &str) -> Option<DestinationRow> {
    let rows = server.meta().destinations().await.unwrap();
    rows.into_iter().find(|row| row.name == name)
}

fn hook(url: &str, events: Value) -> Value {
    json!({ "kind": "webhook", "url": url, "events": events, "allow_private": true })
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_servers_one_sends() {
    let ear = Ear::held().await;
    let server = Running::start(&[("fails", FAIL)]).await;
    let second = listen(&server.service, "127.0.0.1:0").await.ok().unwrap();
    put(
        &server,
        "/destinations/ops",
        hook(&ear.url(), json!(["run_failed"])),
    )
    .await;
    let mut runs = vec![server.run("fails", json!({})).await];
    until("the first", async || !ear.messages().is_empty()).await;
    // While one waits for its answer, the other has looked too.
    runs.push(server.run("fails", json!({})).await);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(ear.messages().len(), 1);
    ear.let_go(9);
    let last = server.meta().last_event().await.unwrap();
    until("the rest", async || {
        destination(&server, "ops").await.unwrap().cursor >= last
    })
    .await;
    let told: Vec<Value> = ear.messages();
    let urls: Vec<&str> = told
        .iter()
        .map(|message| message["url"].as_str().unwrap())
        .collect();
    assert_eq!(urls.len(), 2, "{urls:?}");
    assert!(
        urls.iter().zip(&runs).all(|(url, run)| url.ends_with(run)),
        "{urls:?}"
    );
    second.shutdown().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_stands_and_what_is_removed_stays_so_while_it_is_sent_to() {
    let ear = Ear::held().await;
    let server = Running::start(&[("fails", FAIL)]).await;
    put(
        &server,
        "/destinations/edited",
        hook(&ear.url(), json!(["run_failed"])),
    )
    .await;
    server.run("fails", json!({})).await;
    until("the first", async || ear.messages().len() == 1).await;
    let before = destination(&server, "edited").await.unwrap().cursor;
    let both = hook(&ear.url(), json!(["run_failed", "approval_wanted"]));
    put(&server, "/destinations/edited", both.clone()).await;
    ear.let_go(1);
    until("the cursor", async || {
        let row = destination(&server, "edited").await.unwrap();
        assert_eq!(row.config["events"], both["events"]);
        row.cursor > before
    })
    .await;
    server.run("fails", json!({})).await;
    until("the second", async || ear.messages().len() == 2).await;
    let delete = server.request(Method::DELETE, "/api/v1/destinations/edited");
    assert_eq!(server.answer(delete).await.0, StatusCode::OK);
    ear.let_go(9);
    // Another one is told once the first is dealt with.
    put(
        &server,
        "/destinations/other",
        hook(&ear.url(), json!(["run_failed"])),
    )
    .await;
    server.run("fails", json!({})).await;
    until("the third", async || ear.messages().len() == 3).await;
    assert!(destination(&server, "edited").await.is_none());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_once_and_signed() {
    let ear = Ear::open().await;
    let url = ear.url();
    let server = Running::start(&[("fails", FAIL)]).await;
    let put = |path: &str, body: Value| server.request(Method::PUT, &format!("/api/v1{path}")).json(&body);
    server
        .answer(put("/secrets/SIGN", json!({ "value": "shared-secret" })))
        .await;
    let hook = |private: bool| json!({ "kind": "webhook", "url": url, "secret": "secret:SIGN", "events": ["run_failed"], "allow_private": private });
    assert_eq!(
        server.answer(put("/destinations/open", hook(true))).await.0,
        StatusCode::OK
    );
    assert_eq!(
        server.answer(put("/destinations/closed", hook(false))).await.0,
        StatusCode::OK
    );
    let plain = json!({ "kind": "slack", "url": "https://hooks.example/T0", "events": ["run_failed"] });
    let (status, problem) = server.answer(put("/destinations/plain", plain)).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (422, Some("destination.plain_secret"))
    );

    let run = server.run("fails", json!({})).await;
    until("word of both", async || {
        let closed = destination(&server, "closed").await.unwrap();
        !ear.messages().is_empty() && closed.last_error.is_some()
    })
    .await;
    let error = destination(&server, "closed").await.unwrap().last_error.unwrap();
    assert!(error.contains("private network"), "{error}");
    let heard = ear.heard.lock().unwrap().clone();
    let [(headers, message)] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    let signature = headers["x-twinloom-signature"].to_str().unwrap();
    assert!(signature.starts_with("sha256="));
    assert_eq!(
        (message["kind"].as_str(), message["payload"]["dag"].as_str()),
        (Some("run.failed"), Some("fails"))
    );
    let text = message["text"].as_str().unwrap();
    assert!(
        text.starts_with("`no` failed: false ended with exit code 1\nSee the task's log"),
        "{text}"
    );
    assert_eq!(message["payload"]["error"]["task_code"], "command.failed");
    let page = message["url"].as_str().unwrap();
    assert!(page.ends_with(&format!("/runs/{run}")), "{page}");
    server.stop().await;
}
