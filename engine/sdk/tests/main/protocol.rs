//! What goes over the wire, and what must never go over it.

use serde_json::json;
use twinloom_sdk::{ErrorKind, Level, Message, OperatorError, TaskDocument};

use super::support::{Bench, config};

#[test]
fn messages_are_lines_that_any_language_can_write() {
    let parse = |value: serde_json::Value| serde_json::from_value::<Message>(value).unwrap();
    assert!(matches!(
        parse(json!({ "type": "log", "level": "info", "message": "hello" })),
        Message::Log {
            level: Level::Info,
            ..
        }
    ));
    assert!(matches!(
        parse(json!({ "type": "metric", "name": "loss", "value": 1.5 })),
        Message::Metric { step: None, .. }
    ));
    assert!(matches!(
        parse(json!({ "type": "heartbeat" })),
        Message::Heartbeat
    ));
    assert!(matches!(
        parse(json!({ "type": "result", "metrics": {} })),
        Message::Result { .. }
    ));
    let error = parse(json!({ "type": "error", "kind": "data", "code": "x", "message": "m", "hint": "h" }));
    assert!(matches!(
        error,
        Message::Error {
            error: OperatorError {
                kind: ErrorKind::Data,
                ..
            }
        }
    ));
}

#[tokio::test]
async fn a_task_survives_the_wire() {
    let bench = Bench::new().await;
    let manifest = bench
        .documents(&[("a".to_owned(), "one".to_owned())].into())
        .await;
    let task = bench.task(&manifest, config());
    let line = serde_json::to_string(&task).unwrap();
    assert!(!line.contains('\n'));
    let back: TaskDocument = serde_json::from_str(&line).unwrap();
    assert_eq!(
        serde_json::to_value(&back).unwrap(),
        serde_json::to_value(&task).unwrap()
    );
}

#[tokio::test]
async fn what_does_not_fit_is_an_error_that_names_the_fix() {
    let bench = Bench::new().await;
    let manifest = bench
        .documents(&[("a".to_owned(), "one".to_owned())].into())
        .await;
    let fails = async |change: &dyn Fn(&mut TaskDocument)| {
        let mut task = bench.task(&manifest, config());
        change(&mut task);
        let error = bench.execute(task).await.unwrap_err();
        assert!(!error.hint.is_empty());
        error.code
    };
    assert_eq!(fails(&|task| task.protocol = 99).await, "protocol.version");
    assert_eq!(
        fails(&|task| task.operator = "nope".to_owned()).await,
        "operator.unknown"
    );
    assert_eq!(
        fails(&|task| task.config = json!({ "upper": "yes" })).await,
        "config.invalid"
    );
    assert_eq!(fails(&|task| task.inputs.clear()).await, "input.missing");
    assert_eq!(fails(&|task| task.outputs.clear()).await, "output.missing");
}
