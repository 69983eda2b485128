//! Rows to test with.

use jiff::Timestamp;
use serde_json::json;
use twinloom_meta::{RunRow, RunState, TaskRow};

/// A time: `seconds` after some instant, with microseconds.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_microsecond(1_750_000_000_123_456 + seconds * 1_000_000).unwrap()
}

pub fn run(id: &str, seconds: i64) -> RunRow {
    RunRow {
        id: id.to_owned(),
        dag: "twin".to_owned(),
        plan: json!({"zulu": 1, "alpha": [1, 2.5, null], "text": "ünï\u{0}code \"quoted\" 'single' $1 ?"}),
        dag_text: "kind: Dag\nname: twin\n".to_owned(),
        params: json!({"author": "Ada"}),
        state: RunState::Running,
        trigger: json!({"kind": "manual"}),
        created_at: at(seconds),
        started_at: None,
        ended_at: None,
        owner: Some("host:1".to_owned()),
        epoch: 1,
        lease_until: Some(at(seconds + 60)),
        error: None,
    }
}

pub fn tasks(run: &str, count: u32) -> Vec<TaskRow> {
    (0..count)
        .map(|n| TaskRow::new(run, &format!("fan[{n}]"), n, "fan", "noop"))
        .collect()
}
