#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use arrow::{
    array::{Array, AsArray},
    datatypes::Int64Type,
};
use serde_json::{Value, json};
use twinloom_sdk::TaskDocument;
use twinloom_store::{DatasetManifest, ModelManifest};

use crate::{
    approve::verdict,
    harness::{Home, Wire},
};

fn task(home: &Home, config: Value, model: &ModelManifest) -> TaskDocument {
    home.task("promote", config)
        .model("model", model)
        .output("promotion")
}

/// A verdict as `approve` makes it.
async fn verdict_on(
    home: &Home,
    model: &ModelManifest,
    approved: bool,
    comment: Option<&str>,
) -> std::sync::Arc<DatasetManifest> {
    let rows = crate::approve::tests::report(true);
    let report = home.publish("evaluation", &["metric", "subject"], rows).await;
    let task = home
        .task("approve", json!({"reject": "continue"}))
        .dataset("report", &report)
        .model("candidate", model);
    let ended = home.done(task.output("verdict").decided(approved, comment)).await;
    assert_eq!(home.rows(&ended.datasets["verdict"]).await.schema(), verdict());
    ended.datasets["verdict"].clone()
}

#[tokio::test]
async fn an_alias_moves_once() {
    let home = Home::new().await;
    let (first, second) = (home.model("twin", "one").await, home.model("twin", "two").await);
    let ended = home
        .done(task(&home, json!({"reason": "first release"}), &first))
        .await;
    let [moved] = ended.aliases.as_slice() else {
        panic!("{:?}", ended.aliases)
    };
    assert_eq!(
        (moved.alias.as_str(), moved.version, moved.reason.as_str()),
        ("production", 1, "first release")
    );
    home.alias("twin", "production", 1, "run run1").await;

    let next = home.done(task(&home, json!({}), &second)).await;
    assert_eq!(next.aliases[0].version, 2);
    let row = home.rows(&next.datasets["promotion"]).await;
    let number = |name: &str| {
        row.column_by_name(name)
            .unwrap()
            .as_primitive::<Int64Type>()
            .value(0)
    };
    assert_eq!((number("version"), number("previous")), (2, 1));
    home.alias("twin", "production", 2, "run run1").await;

    let again = home.done(task(&home, json!({}), &second)).await;
    assert!(again.aliases.is_empty(), "it points there already");
    assert_eq!(again.metrics, json!({"moved": false, "version": 2}));
    let third = home.done(task(&home, json!({}), &second)).await;
    assert_eq!(
        third.datasets["promotion"].version, again.datasets["promotion"].version,
        "and nothing new is published"
    );
    let other = home
        .done(task(&home, json!({"alias": "candidate"}), &second))
        .await;
    assert_eq!(other.aliases[0].alias, "candidate");
    let row = home.rows(&other.datasets["promotion"]).await;
    assert!(row.column_by_name("previous").unwrap().is_null(0));
}

#[tokio::test]
async fn a_verdict_opens_the_gate_only_for_what_it_is_on() {
    let home = Home::new().await;
    let (first, second) = (home.model("twin", "one").await, home.model("twin", "two").await);
    let yes = verdict_on(&home, &second, true, Some("reads well")).await;
    let ended = home
        .done(task(&home, json!({}), &second).dataset("verdict", &yes))
        .await;
    assert_eq!(
        (ended.aliases[0].by.as_str(), ended.aliases[0].reason.as_str()),
        ("ada", "reads well")
    );
    let error = home
        .run(task(&home, json!({}), &first).dataset("verdict", &yes))
        .await
        .unwrap_err();
    assert_eq!(error.code, "promote.other_candidate");
    assert!(
        error.message.contains("twin@1") && error.message.contains("twin@2"),
        "{error}"
    );
    let no = verdict_on(&home, &second, false, None).await;
    let error = home
        .run(task(&home, json!({}), &second).dataset("verdict", &no))
        .await
        .unwrap_err();
    assert_eq!(error.code, "promote.not_approved");
}

#[tokio::test]
async fn names_that_mean_versions_are_no_aliases() {
    let home = Home::new().await;
    let model = home.model("twin", "one").await;
    for alias in ["latest", "12", "", "Prod", "a b"] {
        let error = home
            .run(task(&home, json!({"alias": alias}), &model))
            .await
            .unwrap_err();
        assert_eq!(error.code, "promote.alias", "{alias}");
    }
    let error = home
        .run(home.task("promote", json!({})).output("promotion"))
        .await
        .unwrap_err();
    assert_eq!(error.code, "input.missing");
}
