//! Conditions on versions, models, aliases and runs.

use std::time::Duration;

use serde_json::{Map, json};
use twinloom_meta::{RunState, event};

use super::count;
use crate::{
    plans::{plan, task},
    support::{self, Home, events, publish, publish_with, runs_of, service, write_dag},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_version_starts_a_run_that_says_why() {
    for home in Home::each().await {
        let both = "on: {datasets: [{any: [a]}, {all: [{name: b, min_changed_rows: 3}, c], within: 1h}]}";
        write_dag(home.dir.path(), "user", both);
        let service = service(home.engine().await).await;
        let engine = service.engine();
        publish(engine, "a", 0..2).await;
        publish(engine, "b", 0..2).await;
        publish(engine, "c", 0..2).await;
        service.settle().await.unwrap();
        let runs = runs_of(engine, "user").await;
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].state, RunState::Succeeded);
        assert_eq!(runs[0].trigger["kind"], "datasets");
        assert_eq!(runs[0].trigger["datasets"], json!({ "a": 1 }));
        let status = service.triggers("user").await.unwrap();
        let waiting = status.iter().find(|trigger| trigger.last_run.is_none()).unwrap();
        assert_eq!(
            waiting.would_take,
            "It takes a new version of `b` (2 of 3 changed rows), within 1h of the others."
        );
        assert_eq!(waiting.state["waits_for"], json!(["`b` (2 of 3 changed rows)"]));
        let fired = status.iter().find(|trigger| trigger.last_run.is_some()).unwrap();
        assert_eq!(fired.last_run.as_ref(), Some(&runs[0].id));
        publish(engine, "b", 0..4).await;
        service.settle().await.unwrap();
        assert_eq!(count(engine, "user").await, 2);
        let why = service.why("user").await.unwrap();
        let reasons: Vec<_> = why
            .iter()
            .map(|decision| (decision.fired, decision.reason.as_str()))
            .collect();
        assert_eq!(
            reasons,
            [
                (true, "New versions came: `b@2`, `c@1`."),
                (false, "`c@1` came; it still waits for `b` (2 of 3 changed rows)."),
                (
                    false,
                    "`b@1` came, but only 2 of 3 rows have changed since the last run."
                ),
                (true, "New versions came: `a@1`."),
            ]
        );
        service.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_goes_on_where_it_stood_and_fires_once_for_all_schedulers() {
    for home in Home::each().await {
        write_dag(home.dir.path(), "user", "on: {datasets: {all: [a, b]}}");
        let first = service(home.engine().await).await;
        publish(first.engine(), "a", 0..1).await;
        first.shutdown().await;
        // Nobody is there when the other half comes.
        let engine = home.engine().await;
        publish(&engine, "b", 0..1).await;
        engine.shutdown().await;
        let (one, two) = (
            service(home.engine().await).await,
            service(home.engine().await).await,
        );
        for round in 1..6 {
            publish(one.engine(), "a", 0..1 + round).await;
            publish(two.engine(), "b", 0..1 + round).await;
        }
        for _ in 0..2 {
            one.settle().await.unwrap();
            two.settle().await.unwrap();
        }
        assert_eq!(count(one.engine(), "user").await, 6);
        assert_eq!(
            events(&one.engine().config().meta, event::TRIGGER_FIRED)
                .await
                .len(),
            6
        );
        // What was taken for runs that the other one was faster with is free again.
        one.shutdown().await;
        two.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_condition_starts_from_now_and_another_edit_changes_nothing() {
    let home = Home::new();
    write_dag(home.dir.path(), "user", "on: {datasets: {all: [a, b]}}");
    let service = service(home.engine().await).await;
    publish(service.engine(), "a", 0..1).await;
    service.settle().await.unwrap();
    write_dag(
        home.dir.path(),
        "user",
        "description: edited\non: {datasets: {all: [a, b]}}",
    );
    service.dags().reload().unwrap();
    publish(service.engine(), "b", 0..1).await;
    service.settle().await.unwrap();
    assert_eq!(count(service.engine(), "user").await, 1);
    publish(service.engine(), "a", 0..2).await;
    write_dag(home.dir.path(), "user", "on: {datasets: {all: [a, c]}}");
    service.dags().reload().unwrap();
    service.settle().await.unwrap();
    publish(service.engine(), "c", 0..1).await;
    service.settle().await.unwrap();
    assert_eq!(
        count(service.engine(), "user").await,
        1,
        "`a` came before this condition"
    );
    publish(service.engine(), "a", 0..3).await;
    service.settle().await.unwrap();
    assert_eq!(count(service.engine(), "user").await, 2);
    service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn models_and_runs_start_runs() {
    let home = Home::new();
    write_dag(home.dir.path(), "registered", "on: {models: [twin]}");
    write_dag(
        home.dir.path(),
        "moved",
        "on: {models: [{name: twin, event: alias_moved, alias: production}]}",
    );
    write_dag(
        home.dir.path(),
        "next",
        "on: {runs: {dag: train, state: [succeeded, failed]}}",
    );
    let service = service(home.engine().await).await;
    let engine = service.engine();
    let train = |rate: f64| {
        let mut fit = task("fit", "fit", json!({ "rate": rate }));
        fit.outputs.insert("model".into(), "twin".into());
        let rows = task("rows", "rows", json!({ "texts": ["a"] }));
        use crate::plans::TaskExt;
        plan(
            "train",
            vec![rows.output("out", "raw"), fit.input("rows", "rows", "out")],
        )
    };
    support::run(engine, train(0.1)).await;
    support::run(engine, train(0.2)).await;
    service.settle().await.unwrap();
    engine
        .move_alias("twin", "production", 1, "ada", "the first one")
        .await
        .unwrap();
    engine
        .move_alias("twin", "other", 2, "ada", "to look at")
        .await
        .unwrap();
    engine
        .move_alias("twin", "production", 2, "ada", "a better one")
        .await
        .unwrap();
    let back = engine
        .rollback_alias("twin", "production", "bob", "it swears")
        .await
        .unwrap();
    assert_eq!((back.version, back.previous), (1, Some(2)));
    assert_eq!(
        engine
            .rollback_alias("twin", "other", "bob", "why not")
            .await
            .unwrap_err()
            .code(),
        "alias.no_previous"
    );
    assert_eq!(
        engine
            .rollback_alias("twin", "production", "bob", " ")
            .await
            .unwrap_err()
            .code(),
        "alias.reason"
    );
    service.settle().await.unwrap();
    assert_eq!(count(engine, "registered").await, 2);
    assert_eq!(count(engine, "moved").await, 3);
    assert_eq!(count(engine, "next").await, 2);
    let audit = engine.config().meta.audit(10).await.unwrap();
    let rollback = audit.iter().find(|row| row.action == "alias.rollback").unwrap();
    assert_eq!(
        (rollback.by.as_str(), &rollback.detail["reason"]),
        ("bob", &json!("it swears"))
    );
    service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_count_by_their_metrics_and_tags() {
    let home = Home::new();
    write_dag(
        home.dir.path(),
        "good",
        "on: {datasets: {any: [{name: a, metrics: {loss: {max: 0.5}}}]}}",
    );
    write_dag(
        home.dir.path(),
        "tagged",
        "on: {datasets: {any: [{name: a, tag: gold}]}}",
    );
    let service = service(home.engine().await).await;
    let engine = service.engine();
    for (rows, loss) in [(1, 0.9), (2, 0.4)] {
        publish_with(engine, "a", 0..rows, |staged| {
            staged.metrics.insert("loss".to_owned(), json!(loss));
        })
        .await;
    }
    service.settle().await.unwrap();
    assert_eq!(count(engine, "good").await, 1);
    assert_eq!(count(engine, "tagged").await, 0);
    engine.tag_dataset("a", "gold", 1, "ada", "").await.unwrap();
    engine.tag_dataset("a", "silver", 1, "ada", "").await.unwrap();
    service.settle().await.unwrap();
    assert_eq!(count(engine, "tagged").await, 1);
    service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_is_judged_once_the_store_answers() {
    let home = Home::new();
    let on = "on: {datasets: {any: [{name: a, tag: gold, metrics: {loss: {max: 0.5}}}]}}";
    write_dag(home.dir.path(), "tagged", on);
    write_dag(home.dir.path(), "before", "on: {datasets: {any: [a]}}");
    write_dag(home.dir.path(), "after", "on: {datasets: {any: [b]}}");
    write_dag(home.dir.path(), "clock", "on: {schedule: {every: 1s}}");
    service(home.engine().await).await.shutdown().await;
    let engine = home.engine().await;
    publish_with(&engine, "a", 0..2, |staged| {
        staged.metrics.insert("loss".to_owned(), json!(0.4));
    })
    .await;
    engine.tag_dataset("a", "gold", 1, "ada", "").await.unwrap();
    publish(&engine, "b", 0..2).await;
    engine.shutdown().await;
    // Something stands in the manifest's place that cannot be opened.
    let manifest = support::file_below(&home.dir.path().join("store"), "datasets/a/", "000000000001.json");
    let aside = home.dir.path().join("aside");
    std::fs::rename(&manifest, &aside).unwrap();
    std::os::unix::fs::symlink(&manifest, &manifest).unwrap();
    let service = service(home.engine().await).await;
    let engine = service.engine();
    for _ in 0..3 {
        service.settle().await.unwrap();
    }
    assert_eq!(count(engine, "before").await, 1);
    assert_eq!(
        (count(engine, "tagged").await, count(engine, "after").await),
        (0, 0)
    );
    // A schedule has nothing to ask the store.
    let before = count(engine, "clock").await;
    while count(engine, "clock").await == before {
        service.settle().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    std::fs::remove_file(&manifest).unwrap();
    std::fs::rename(&aside, &manifest).unwrap();
    service.settle().await.unwrap();
    assert_eq!(
        (count(engine, "tagged").await, count(engine, "after").await),
        (1, 1)
    );
    assert_eq!(count(engine, "before").await, 1, "nothing is taken in twice");
    let why = service.why("tagged").await.unwrap();
    assert!(
        why.iter().all(|decision| !decision.reason.contains("no metric")),
        "{why:#?}"
    );
    service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_dag_starts_one_run_when_it_goes_on() {
    for home in Home::each().await {
        write_dag(home.dir.path(), "user", "on: {datasets: {any: [a]}}");
        let first = service(home.engine().await).await;
        first.pause("user", true, "ada").await.unwrap();
        publish(first.engine(), "a", 0..1).await;
        first.shutdown().await;
        let second = service(home.engine().await).await;
        assert!(second.dags().entry("user").unwrap().paused);
        publish(second.engine(), "a", 0..2).await;
        second.settle().await.unwrap();
        assert_eq!(count(second.engine(), "user").await, 0);
        second.pause("user", false, "ada").await.unwrap();
        second.settle().await.unwrap();
        assert_eq!(count(second.engine(), "user").await, 1);
        second.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circle_of_dags_comes_to_an_end() {
    let home = Home::new();
    write_dag(home.dir.path(), "ping", "on: {runs: {dag: pong}}");
    write_dag(home.dir.path(), "pong", "on: {runs: {dag: ping}}");
    let service = service(home.engine().await).await;
    service
        .submit("ping", &Map::new(), json!({ "kind": "manual" }), "ada")
        .await
        .unwrap();
    loop {
        service.settle().await.unwrap();
        if !events(&service.engine().config().meta, event::TRIGGER_FAILED)
            .await
            .is_empty()
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let runs = count(service.engine(), "ping").await + count(service.engine(), "pong").await;
    assert_eq!(runs, 51);
    service.shutdown().await;
}
