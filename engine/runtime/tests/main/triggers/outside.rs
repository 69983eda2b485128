//! What comes from outside: signed requests, messages of queues.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use twinloom_meta::event;
use twinloom_runtime::service::{QueueMessage, SignedRequest};

use super::{SECRET, clocked};
use crate::support::{Home, events, runs_of, service, write_dag};

fn signed(timestamp: &str, body: &[u8], secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_takes_what_is_signed_once() {
    for home in Home::each().await {
        let on = "params: {size: {type: integer, default: 1}}\non: {webhook: {secret: \"secret:HOOK\", params: {size: /job/size}}}";
        write_dag(home.dir.path(), "hooked", on);
        let (service, clock) = clocked(&home, "2026-01-01T00:00:00Z").await;
        let now = service.engine().now().as_second().to_string();
        let body = br#"{"job": {"size": 7}}"#;
        let send = async |timestamp: &str, signature: &str, body: &[u8]| {
            let request = SignedRequest {
                timestamp: Some(timestamp),
                signature: Some(signature),
                body,
            };
            service
                .webhook("hooked", request)
                .await
                .map_err(|error| error.code().to_owned())
        };
        let good = signed(&now, body, SECRET);
        let unsigned = Err("webhook.unsigned".to_owned());
        assert_eq!(send(&now, &signed(&now, body, "guessed"), body).await, unsigned);
        assert_eq!(send(&now, &good, b"{}").await, unsigned);
        assert_eq!(send("1767225601", &good, body).await, unsigned);
        let old = (service.engine().now().as_second() - 301).to_string();
        assert_eq!(send(&old, &signed(&old, body, SECRET), body).await, unsigned);
        assert!(send(&now, &good, body).await.unwrap() > 0);
        assert_eq!(send(&now, &good, body).await, Err("webhook.replayed".to_owned()));
        let empty = br#"{"job": {}}"#;
        assert_eq!(
            send(&now, &signed(&now, empty, SECRET), empty).await,
            Err("webhook.body".to_owned())
        );
        service.settle().await.unwrap();
        let runs = runs_of(service.engine(), "hooked").await;
        assert_eq!((runs.len(), &runs[0].params["size"]), (1, &json!(7)));
        service.pause("hooked", true, "ada").await.unwrap();
        clock.advance(Duration::from_secs(5));
        let later = service.engine().now().as_second().to_string();
        assert_eq!(
            send(&later, &signed(&later, body, SECRET), body).await,
            Err("dag.paused".to_owned())
        );
        service.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_queue_start_runs_each_once() {
    for home in Home::each().await {
        let on =
            "params: {size: {type: integer, default: 1}}\non: {queue: {name: jobs, params: {size: /size}}}";
        write_dag(home.dir.path(), "worker", on);
        let service = service(home.engine().await).await;
        assert_eq!(service.queues()[0].name, "jobs");
        let message = |id: &str, size: Value| QueueMessage {
            id: Some(id.to_owned()),
            body: json!({ "size": size }).to_string().into_bytes(),
        };
        service
            .queue_message("jobs", message("1", json!(3)))
            .await
            .unwrap();
        let again = service
            .queue_message("jobs", message("1", json!(3)))
            .await
            .unwrap_err();
        assert_eq!(again.code(), "queue.known_message");
        service
            .queue_message("jobs", message("2", json!(4)))
            .await
            .unwrap();
        service
            .queue_message("other", message("1", json!(5)))
            .await
            .unwrap();
        // A message that fits no run is decided all the same, and said.
        service
            .queue_message("jobs", message("3", json!("large")))
            .await
            .unwrap();
        service.settle().await.unwrap();
        let runs = runs_of(service.engine(), "worker").await;
        let sizes: Vec<_> = runs.iter().map(|run| run.params["size"].clone()).collect();
        assert_eq!(sizes, [json!(3), json!(4)]);
        let failed = events(&service.engine().config().meta, event::TRIGGER_FAILED).await;
        assert_eq!(failed.len(), 1);
        let why = service.why("worker").await.unwrap();
        assert!(
            why.iter()
                .any(|decision| !decision.fired && decision.reason.contains("It started no run")),
            "{why:#?}"
        );
        service.shutdown().await;
    }
}
