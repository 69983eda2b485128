//! What flows where: edges, conditions, matrices, templates.

use serde_json::{Value, json};
use twinloom_meta::{RunState, TaskState, event};
use twinloom_spec::Goal;

use crate::{
    plans::{TaskExt, plan, task},
    support::{self, Home, events, run, states, submit},
};

#[tokio::test(flavor = "multi_thread")]
async fn data_flows_and_is_published_with_its_events() {
    let home = Home::new();
    let engine = home.engine().await;
    let ended = run(
        &engine,
        plan(
            "flow",
            vec![
                task("rows", "rows", json!({ "texts": ["a", "b"] })).output("out", "letters"),
                task("upper", "upper", json!({}))
                    .input("rows", "rows", "out")
                    .output("out", "capitals"),
                task(
                    "note",
                    "note",
                    json!({ "seen": "${{ steps.upper.metrics.rows + 1 }}" }),
                )
                .input("rows", "upper", "out"),
            ],
        ),
    )
    .await;
    assert_eq!(ended.state, RunState::Succeeded, "{ended:#?}");
    let upper = support::task(&ended, "upper");
    assert_eq!(
        (upper.outputs[0].name.as_str(), upper.outputs[0].version),
        ("capitals", 1)
    );
    assert_eq!(
        (upper.outputs[0].outcome.as_str(), upper.outputs[0].rows),
        ("new", Some(2))
    );
    assert_eq!(support::task(&ended, "note").metrics["seen"], json!(3));
    assert!(
        upper.queued_at.is_some()
            && upper.started_at >= upper.queued_at
            && upper.ended_at >= upper.started_at
    );
    let meta = &engine.config().meta;
    let published: Vec<_> = events(meta, event::DATASET_PUBLISHED)
        .await
        .into_iter()
        .map(|event| event.subject)
        .collect();
    assert_eq!(published, ["letters@1", "capitals@1"]);
    assert_eq!(events(meta, event::RUN_ENDED).await.len(), 1);
    assert_eq!(meta.dataset_index(Some("capitals")).await.unwrap().len(), 1);
    let log = engine.logs(&ended.id, "note").await.unwrap();
    assert_eq!(
        log.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(),
        ["noted"]
    );
    let points = meta.metrics(&ended.id, Some("note")).await.unwrap();
    assert_eq!(
        (points[0].name.as_str(), points[0].step, points[0].value),
        ("noted", Some(3), 1.0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_false_condition_skips_what_needs_the_data_and_nothing_else() {
    let home = Home::new();
    let engine = home.engine().await;
    let ended = run(
        &engine,
        plan(
            "skip",
            vec![
                task("gate", "note", json!({ "passed": false })),
                task("rows", "rows", json!({ "texts": ["a"] }))
                    .output("out", "letters")
                    .after("gate")
                    .when("steps.gate.metrics.passed"),
                task("upper", "upper", json!({}))
                    .input("rows", "rows", "out")
                    .output("out", "capitals"),
                task("later", "note", json!({})).after("rows"),
                task("without", "note", json!({})).input("rows", "rows", "out"),
            ],
        ),
    )
    .await;
    assert_eq!(ended.state, RunState::Succeeded);
    let expected = [
        ("gate".to_owned(), TaskState::Succeeded),
        ("rows".to_owned(), TaskState::Skipped),
        ("upper".to_owned(), TaskState::Skipped),
        ("later".to_owned(), TaskState::Succeeded),
        ("without".to_owned(), TaskState::Succeeded),
    ];
    assert_eq!(states(&ended), expected);
    let reason = |id| support::task(&ended, id).reason.clone().unwrap();
    assert_eq!(
        reason("rows"),
        "skipped because `steps.gate.metrics.passed` is false"
    );
    assert_eq!(reason("upper"), "skipped because `rows` was skipped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_matrix_is_gathered_or_the_best_of_it_selected() {
    let home = Home::new();
    let engine = home.engine().await;
    let fit = |rate: f64| {
        let id = format!("fit[{rate}]");
        task(&id, "fit", json!({ "rate": rate }))
            .input("rows", "rows", "out")
            .output("model", &format!("twin-{rate}"))
    };
    let variants = ["fit[0.9]", "fit[0.3]", "fit[0.7]"];
    let ended = run(
        &engine,
        plan(
            "matrix",
            vec![
                task("rows", "rows", json!({ "texts": ["a"] })).output("out", "letters"),
                fit(0.9),
                fit(0.3),
                fit(0.7),
                task("ups[0]", "upper", json!({ "suffix": "0" })).input("rows", "rows", "out").output("out", "u0"),
                task("ups[1]", "upper", json!({ "suffix": "1" })).input("rows", "rows", "out").output("out", "u1"),
                task("all", "note", json!({})).gather("rows", &["ups[0]", "ups[1]"], "out"),
                task("best", "promote", json!({})).select("model", &variants, "model", "loss", Goal::Minimize),
                task("seen", "note", json!({ "loss": "${{ steps['fit'].metrics.loss }}", "one": "${{ steps['fit[0.9]'].metrics.loss }}" }))
                    .after("fit[0.9]").after("fit[0.3]").after("fit[0.7]"),
            ],
        ),
    )
    .await;
    assert_eq!(ended.state, RunState::Succeeded, "{ended:#?}");
    assert_eq!(support::task(&ended, "all").metrics["inputs"], json!(2));
    let meta = &engine.config().meta;
    let aliases = meta.alias_index(None).await.unwrap();
    assert_eq!((aliases.len(), aliases[0].name.as_str()), (1, "twin-0.3"));
    assert_eq!(events(meta, event::MODEL_REGISTERED).await.len(), 3);
    let one = support::task(&ended, "seen").metrics["one"].as_f64().unwrap();
    assert!((one - 0.7).abs() < 1e-9);
}

#[tokio::test(flavor = "multi_thread")]
async fn datasets_from_outside_are_pinned_when_the_run_is_created() {
    let home = Home::new();
    let engine = home.engine().await;
    let make = |text: &str| {
        plan(
            "make",
            vec![task("rows", "rows", json!({ "texts": [text] })).output("out", "letters")],
        )
    };
    let read = || {
        plan(
            "read",
            vec![
                task("upper", "upper", json!({}))
                    .dataset("rows", "letters@latest")
                    .output("out", "caps"),
            ],
        )
    };
    let error = engine.submit(submit(read())).await.unwrap_err();
    assert_eq!(error.code(), "run.input");
    run(&engine, make("a")).await;
    let first = run(&engine, read()).await;
    run(&engine, make("b")).await;
    let second = run(&engine, read()).await;
    assert_eq!(support::task(&first, "upper").outputs[0].version, 1);
    assert_eq!(support::task(&second, "upper").outputs[0].version, 2);
    let stored = engine.config().meta.run(&first.id).await.unwrap().plan;
    assert_eq!(
        stored["tasks"][0]["inputs"]["rows"]["reference"],
        Value::from("letters@1")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_names_nothing_fails_its_task_with_the_name() {
    let home = Home::new();
    let engine = home.engine().await;
    let tasks = vec![
        task("gate", "note", json!({})),
        task("note", "note", json!({ "x": "${{ steps.gate.metrics.absent }}" })).after("gate"),
        task("next", "note", json!({})).after("note"),
    ];
    let ended = run(&engine, plan("template", tasks)).await;
    assert_eq!(ended.state, RunState::Failed);
    let error = support::task(&ended, "note").error.clone().unwrap();
    assert_eq!(error["code"], "template.failed");
    assert!(error["message"].as_str().unwrap().contains("absent"), "{error}");
    let next = support::task(&ended, "next");
    assert_eq!(
        (next.state, next.reason.as_deref()),
        (TaskState::UpstreamFailed, Some("not run because `note` failed"))
    );
}
