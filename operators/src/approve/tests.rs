#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{sync::Arc, time::Duration};

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray};
use serde_json::{Value, json};
use twinloom_sdk::{OnTimeout, Outcome, TaskDocument, records};

use crate::harness::{Home, Wire};

/// A report of two figures, one of them with a threshold.
pub fn report(passed: bool) -> RecordBatch {
    let text = |texts: [Option<&str>; 2]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
    let number = |numbers: [Option<f64>; 2]| -> ArrayRef { Arc::new(Float64Array::from(numbers.to_vec())) };
    RecordBatch::try_new(
        records::report(),
        vec![
            text([Some("eval_loss"), Some("eval_loss")]),
            text([Some("base"), Some("candidate")]),
            number([Some(3.5), Some(if passed { 2.5 } else { 3.9 })]),
            number([Some(3.4), None]),
            number([Some(3.6), None]),
            number([None, Some(3.5)]),
            Arc::new(BooleanArray::from(vec![None, Some(passed)])),
            text([None, Some("{}")]),
        ],
    )
    .unwrap()
}

async fn task(home: &Home, config: Value, passed: bool) -> TaskDocument {
    let report = home
        .publish("evaluation", &["metric", "subject"], report(passed))
        .await;
    let model = home.model("twin", "weights").await;
    home.alias("twin", "production", 1, "bo").await;
    home.task("approve", config)
        .dataset("report", &report)
        .model("candidate", &model)
        .output("verdict")
}

#[tokio::test]
async fn without_a_decision_it_asks_on_evidence() {
    let home = Home::new().await;
    let config =
        json!({"approvers": ["role:approver", "user:ada"], "timeout": "7d", "on_timeout": "approve"});
    let Outcome::Wait(request) = home.run(task(&home, config, false).await).await.unwrap() else {
        panic!("it is done")
    };
    assert_eq!(request.approvers, ["role:approver", "user:ada"]);
    assert_eq!(request.timeout, Some(Duration::from_secs(7 * 86_400)));
    assert_eq!(request.on_timeout, OnTimeout::Approve);
    assert!(
        request.question.contains("twin@1") && request.question.contains("missed"),
        "{}",
        request.question
    );
    let evidence = request.evidence;
    assert_eq!(evidence["candidate"], "twin@1");
    assert_eq!(evidence["production"], "twin@1");
    assert_eq!(evidence["report"], "evaluation@1");
    assert_eq!(evidence["passed"], false);
    assert_eq!(evidence["failed"], json!(["eval_loss of candidate"]));
    let candidate = evidence["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["subject"] == "candidate")
        .unwrap();
    assert_eq!(
        (&candidate["value"], &candidate["threshold"]),
        (&json!(3.9), &json!(3.5))
    );
}

#[tokio::test]
async fn an_approval_becomes_a_verdict_with_its_evidence() {
    let home = Home::new().await;
    let ended = home
        .done(
            task(&home, json!({}), true)
                .await
                .decided(true, Some("reads well")),
        )
        .await;
    assert_eq!(ended.metrics, json!({"approved": true, "by": "ada"}));
    let rows = home.rows(&ended.datasets["verdict"]).await;
    let text = |name: &str| {
        rows.column_by_name(name)
            .unwrap()
            .as_string::<i32>()
            .value(0)
            .to_owned()
    };
    assert_eq!(
        [text("decision"), text("by"), text("comment"), text("candidate")],
        ["approved", "ada", "reads well", "twin@1"]
    );
    let evidence: Value = serde_json::from_str(&text("evidence")).unwrap();
    assert_eq!(
        (&evidence["passed"], evidence["rows"].as_array().unwrap().len()),
        (&json!(true), 2)
    );
}

#[tokio::test]
async fn a_rejection_fails_the_task_or_is_a_verdict() {
    let home = Home::new().await;
    let rejected = task(&home, json!({}), true)
        .await
        .decided(false, Some("too dull"));
    let error = home.run(rejected).await.unwrap_err();
    assert_eq!(error.code, "approve.rejected");
    assert!(
        error.message.contains("ada")
            && error.message.contains("too dull")
            && error.message.contains("twin@1")
    );
    let kept = task(&home, json!({"reject": "continue"}), true)
        .await
        .decided(false, None);
    let ended = home.done(kept).await;
    assert_eq!(ended.metrics["approved"], false);
    let rows = home.rows(&ended.datasets["verdict"]).await;
    assert_eq!(rows.column(0).as_string::<i32>().value(0), "rejected");
}

#[tokio::test]
async fn wrong_configurations_are_named_before_anybody_is_asked() {
    let home = Home::new().await;
    for (config, code) in [
        (json!({"timeout": "soon"}), "approve.timeout"),
        (json!({"timeout": "-3h"}), "approve.timeout"),
        (json!({"approvers": ["ada"]}), "approve.approvers"),
        (json!({"approvers": ["role:"]}), "approve.approvers"),
        (json!({"on_timeout": "maybe"}), "config.invalid"),
        (json!({"approver": []}), "config.invalid"),
    ] {
        let error = home
            .run(task(&home, config.clone(), true).await)
            .await
            .unwrap_err();
        assert_eq!(error.code, code, "{config}");
    }
}
