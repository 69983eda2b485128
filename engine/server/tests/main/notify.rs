//! Notifications: told once, signed, and not to private addresses unless that is allowed.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Running;

const FAIL: &str = r#"apiVersion: twinloom/v1
kind: Dag
name: fails
steps:
  no:
    uses: command
    executor: inline
    with: {argv: ["false"]}
    retries: {max: 0}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_once_and_signed() {
    let heard: Arc<Mutex<Vec<(bool, Value)>>> = Arc::default();
    let ears = Arc::clone(&heard);
    let hear = async move |headers: HeaderMap, body: Bytes| {
        let signed = headers["x-twinloom-signature"]
            .to_str()
            .unwrap()
            .starts_with("sha256=");
        ears.lock()
            .unwrap()
            .push((signed, serde_json::from_slice(&body).unwrap()));
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let receiver = axum::serve(listener, Router::new().route("/hook", post(hear)));
    let receiver = tokio::spawn(async move { receiver.await });

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
    for _ in 0..1_000 {
        let listed = server.get("/destinations").await;
        let closed = &listed["items"][0];
        let told = heard.lock().unwrap().clone();
        if let ([(signed, message)], Some(error)) = (told.as_slice(), closed["last_error"].as_str()) {
            assert!(signed);
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
            assert!(
                message["url"]
                    .as_str()
                    .unwrap()
                    .ends_with(&format!("/runs/{run}"))
            );
            assert!(error.contains("private network"), "{error}");
            receiver.abort();
            return server.stop().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("nobody was told");
}
