//! Traces, as a collector gets them.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value as Any},
    trace::v1::Span,
};
use prost::Message;
use serde_json::json;
use twinloom_server::{ServerConfig, ServerError};

use crate::support::{GREET, Running, listen_with};

const FAIL: &str = "apiVersion: twinloom/v1\nkind: Dag\nname: fails\nsteps:\n  no:\n    uses: command\n    executor: inline\n    with: {argv: [\"false\"]}\n";

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|pair| pair.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Any::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_arrive_at_a_collector_as_traces() {
    let heard: Arc<Mutex<Vec<ExportTraceServiceRequest>>> = Arc::default();
    let ears = Arc::clone(&heard);
    // The first request is refused: it is made again.
    let hear = async move |body: Bytes| {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let mut ears = ears.lock().unwrap();
        let status = if ears.is_empty() {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        };
        ears.push(request);
        status
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let collector = format!("http://{}/", listener.local_addr().unwrap());
    let collecting = axum::serve(listener, Router::new().route("/v1/traces", post(hear)));
    let collecting = tokio::spawn(async move { collecting.await });

    let server = Running::start(&[("greet", GREET), ("fails", FAIL)]).await;
    let config = ServerConfig {
        otlp: Some(collector),
        ..ServerConfig::default()
    };
    let telling = listen_with(&server.service, config).await.unwrap();
    let greeted = server.run("greet", json!({})).await;
    let failed = server.run("fails", json!({})).await;
    // Stopping tells what is left.
    telling.shutdown().await;
    collecting.abort();
    server.stop().await;

    let heard = heard.lock().unwrap();
    let service = &heard[0].resource_spans[0].resource.as_ref().unwrap().attributes;
    assert_eq!(text(service, "service.name").as_deref(), Some("twinloom"));
    let spans: Vec<&Span> = heard[1..]
        .iter()
        .flat_map(|request| &request.resource_spans)
        .flat_map(|resource| &resource.scope_spans)
        .flat_map(|scope| &scope.spans)
        .collect();
    let of = |run: &str, name: &str| {
        let trace = ulid::Ulid::from_string(run).unwrap().0.to_be_bytes();
        let found: Vec<_> = spans
            .iter()
            .filter(|span| span.trace_id == trace && span.name == name)
            .collect();
        assert_eq!(found.len(), 1, "{name} of {run}: {spans:#?}");
        *found[0]
    };
    let (run, task, attempt) = (
        of(&greeted, "greet"),
        of(&greeted, "hello"),
        of(&greeted, "attempt"),
    );
    assert!(run.parent_span_id.is_empty());
    assert_eq!(
        (&task.parent_span_id, &attempt.parent_span_id),
        (&run.span_id, &task.span_id)
    );
    assert_eq!(
        text(&run.attributes, "twinloom.run").as_deref(),
        Some(greeted.as_str())
    );
    assert_eq!(
        text(&task.attributes, "twinloom.operator").as_deref(),
        Some("command")
    );
    assert!(run.start_time_unix_nano <= task.start_time_unix_nano);
    assert!(task.start_time_unix_nano <= attempt.start_time_unix_nano);
    assert!(attempt.end_time_unix_nano <= run.end_time_unix_nano);
    let status = of(&failed, "no").status.as_ref().unwrap();
    assert!(
        status.code == 2 && status.message.starts_with("command.failed: "),
        "{status:?}"
    );
}

#[tokio::test]
async fn a_collector_that_cannot_be_one_is_refused_at_the_start() {
    let server = Running::start(&[]).await;
    for wrong in ["collector", "ftp://127.0.0.1", "http://"] {
        let config = ServerConfig {
            otlp: Some(wrong.to_owned()),
            ..ServerConfig::default()
        };
        let refused = listen_with(&server.service, config).await.err().unwrap();
        assert!(matches!(refused, ServerError::Otlp { .. }), "{wrong}: {refused}");
        assert_eq!(refused.code(), "server.otlp");
    }
    server.stop().await;
}
