//! A run as spans: the run, in it its tasks from being queued to their end, in them their attempts.

use std::time::SystemTime;

use jiff::Timestamp;
use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use serde_json::Value;
use twinloom_meta::{AttemptRow, RunHead, RunState, TaskRow, TaskState};

/// The spans of a run that has ended. The trace's id is the run's (a ULID has as many bits); a run that ends again
/// after a retry gives another set of spans in the same trace.
pub fn of(run: &RunHead, tasks: &[TaskRow], attempts: &[AttemptRow]) -> Vec<SpanData> {
    let end = run.ended_at.unwrap_or(run.created_at);
    let trace = Trace {
        id: trace_id(&run.id),
        seed: format!("{}/{end}", run.id),
    };
    let mut spans = vec![trace.span(Part {
        name: run.dag.clone(),
        key: String::new(),
        parent: None,
        from: run.created_at,
        to: end,
        status: status(run.state == RunState::Failed, run.error.as_ref()),
        attributes: vec![
            KeyValue::new("twinloom.run", run.id.clone()),
            KeyValue::new("twinloom.dag", run.dag.clone()),
            KeyValue::new("twinloom.state", run.state.to_string()),
            KeyValue::new("twinloom.trigger", text(Some(&run.trigger), "kind")),
        ],
    })];
    for task in tasks {
        let to = task.ended_at.unwrap_or(end);
        let mut attributes = vec![
            KeyValue::new("twinloom.run", run.id.clone()),
            KeyValue::new("twinloom.task", task.id.clone()),
            KeyValue::new("twinloom.operator", task.operator.clone()),
            KeyValue::new("twinloom.state", task.state.to_string()),
            KeyValue::new("twinloom.attempts", i64::from(task.attempt)),
        ];
        attributes.extend(
            task.reason
                .clone()
                .map(|reason| KeyValue::new("twinloom.reason", reason)),
        );
        spans.push(trace.span(Part {
            name: task.step.clone(),
            key: task.id.clone(),
            parent: Some(String::new()),
            from: task.queued_at.or(task.started_at).unwrap_or(to),
            to,
            status: status(task.state == TaskState::Failed, task.error.as_ref()),
            attributes,
        }));
    }
    for attempt in attempts {
        let outcome = attempt.outcome.clone().unwrap_or_default();
        spans.push(trace.span(Part {
            name: "attempt".to_owned(),
            key: format!("{}#{}", attempt.task, attempt.attempt),
            parent: Some(attempt.task.clone()),
            from: attempt.started_at,
            to: attempt.ended_at.unwrap_or(end),
            status: status(attempt.error.is_some(), attempt.error.as_ref()),
            attributes: vec![
                KeyValue::new("twinloom.task", attempt.task.clone()),
                KeyValue::new("twinloom.attempt", i64::from(attempt.attempt)),
                KeyValue::new("twinloom.outcome", outcome),
            ],
        }));
    }
    spans
}

struct Trace {
    id: TraceId,
    seed: String,
}

/// What a span is made of; `key` tells it from the others of its trace.
struct Part {
    name: String,
    key: String,
    parent: Option<String>,
    from: Timestamp,
    to: Timestamp,
    status: Status,
    attributes: Vec<KeyValue>,
}

impl Trace {
    fn span(&self, part: Part) -> SpanData {
        let context = SpanContext::new(
            self.id,
            self.span_id(&part.key),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        );
        SpanData {
            span_context: context,
            parent_span_id: part
                .parent
                .map_or(SpanId::INVALID, |parent| self.span_id(&parent)),
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: part.name.into(),
            start_time: SystemTime::from(part.from),
            // Clocks of several schedulers may differ; a span does not end before it starts.
            end_time: SystemTime::from(part.to.max(part.from)),
            attributes: part.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: part.status,
            instrumentation_scope: InstrumentationScope::builder("twinloom")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }

    fn span_id(&self, key: &str) -> SpanId {
        let hash = blake3::hash(format!("{}/{key}", self.seed).as_bytes());
        let mut bytes = [0_u8; 8];
        bytes.copy_from_slice(&hash.as_bytes()[..8]);
        SpanId::from_bytes(bytes)
    }
}

fn trace_id(run: &str) -> TraceId {
    match ulid::Ulid::from_string(run) {
        Ok(ulid) => TraceId::from(ulid.0),
        Err(_) => {
            let mut bytes = [0_u8; 16];
            bytes.copy_from_slice(&blake3::hash(run.as_bytes()).as_bytes()[..16]);
            TraceId::from_bytes(bytes)
        }
    }
}

fn status(failed: bool, error: Option<&Value>) -> Status {
    if failed {
        Status::error(format!("{}: {}", text(error, "code"), text(error, "message")))
    } else {
        Status::Unset
    }
}

fn text(value: Option<&Value>, key: &str) -> String {
    let found = value.and_then(|value| value.get(key)?.as_str());
    found.unwrap_or_default().to_owned()
}
