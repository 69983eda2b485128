//! What starts runs.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::Sha256;
use twinloom_meta::{RunState, event};
use twinloom_runtime::{
    Clock, Decision, Engine, ManualClock, Service, ServiceConfig, WaitFor,
    service::{QueueMessage, Secrets, SignedRequest},
};

use crate::{
    plans::{plan, task},
    support::{self, Home, events, publish, publish_with, runs_of, service, submit, write_dag},
};

const SECRET: &str = "a key that nobody knows";

struct Known;

#[async_trait]
impl Secrets for Known {
    async fn get(&self, name: &str) -> Option<String> {
        (name == "HOOK").then(|| SECRET.to_owned())
    }
}

/// A service whose clock stands still until it is moved.
async fn clocked(home: &Home, now: &str) -> (Service, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(now.parse().unwrap()));
    let shared = Arc::clone(&clock) as Arc<dyn Clock>;
    let engine = home.engine_with(|config| config.clock = shared).await;
    let config = ServiceConfig {
        secrets: Arc::new(Known),
        recover_every: None,
        ..ServiceConfig::default()
    };
    let dags = support::dags(&engine);
    (Service::start(engine, dags, config).await.unwrap(), clock)
}

async fn count(engine: &Engine, dag: &str) -> usize {
    runs_of(engine, dag).await.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_starts_a_run_that_says_why() {
    let home = Home::new();
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

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_goes_on_where_it_stood_and_fires_once_for_all_schedulers() {
    let home = Home::new();
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
async fn schedules_fire_at_their_times() {
    let home = Home::new();
    write_dag(
        home.dir.path(),
        "daily",
        "on: {schedule: {cron: \"0 6 * * *\", timezone: Europe/Berlin}}",
    );
    write_dag(
        home.dir.path(),
        "often",
        "on: {schedule: {every: 1h, catchup: all}}",
    );
    let (service, clock) = clocked(&home, "2026-03-28T04:30:00Z").await;
    let next: Vec<String> = service
        .next_fires("daily", 2)
        .unwrap()
        .into_iter()
        .map(|fire| fire.at.to_string())
        .collect();
    // The clocks go forward in between.
    assert_eq!(next, ["2026-03-28T05:00:00Z", "2026-03-29T04:00:00Z"]);
    clock.advance(Duration::from_secs(29 * 60));
    service.settle().await.unwrap();
    assert_eq!(count(service.engine(), "daily").await, 0);
    clock.advance(Duration::from_secs(60));
    service.settle().await.unwrap();
    let runs = runs_of(service.engine(), "daily").await;
    assert_eq!(runs[0].trigger["scheduled_for"], "2026-03-28T05:00:00Z");
    assert_eq!(runs.len(), 1);
    service.shutdown().await;
    // Three days later: one schedule lets what was missed go, the other catches up on all of it.
    let (service, _) = clocked(&home, "2026-03-31T05:30:00Z").await;
    service.settle().await.unwrap();
    assert_eq!(count(service.engine(), "daily").await, 1);
    assert_eq!(count(service.engine(), "often").await, 73);
    let ticks = events(&service.engine().config().meta, event::SCHEDULE_TICK).await;
    assert_eq!(ticks.len(), 74);
    service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_starts_what_is_missing_of_a_range() {
    let home = Home::new();
    write_dag(home.dir.path(), "daily", "on: {schedule: {cron: \"0 6 * * *\"}}");
    let (service, _) = clocked(&home, "2026-02-01T00:00:00Z").await;
    let (from, to): (Timestamp, Timestamp) = (
        "2026-01-01T06:00:00Z".parse().unwrap(),
        "2026-01-05T06:00:00Z".parse().unwrap(),
    );
    let preview = service.backfill_preview("daily", from, to).await.unwrap();
    assert_eq!(preview.len(), 5);
    let middle = "2026-01-03T00:00:00Z".parse().unwrap();
    assert_eq!(
        service
            .backfill("daily", from, middle, "ada")
            .await
            .unwrap()
            .len(),
        2
    );
    count(service.engine(), "daily").await;
    assert_eq!(service.backfill("daily", from, to, "ada").await.unwrap().len(), 3);
    let runs = runs_of(service.engine(), "daily").await;
    let times: Vec<_> = runs
        .iter()
        .map(|run| run.trigger["scheduled_for"].as_str().unwrap())
        .collect();
    assert_eq!(times.first(), Some(&"2026-01-01T06:00:00Z"));
    assert_eq!((times.len(), times.last()), (5, Some(&"2026-01-05T06:00:00Z")));
    let backwards = service.backfill_preview("daily", to, from).await.unwrap_err();
    assert_eq!(backwards.code(), "backfill.range");
    service.shutdown().await;
}

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
    let home = Home::new();
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

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_queue_start_runs_each_once() {
    let home = Home::new();
    let on = "params: {size: {type: integer, default: 1}}\non: {queue: {name: jobs, params: {size: /size}}}";
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
async fn a_paused_dag_starts_one_run_when_it_goes_on() {
    let home = Home::new();
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

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_deadline_is_told_once() {
    let home = Home::new();
    write_dag(home.dir.path(), "user", "freshness: {a: 24h}");
    let (service, clock) = clocked(&home, "2026-01-01T00:00:00Z").await;
    publish(service.engine(), "a", 0..1).await;
    let missed = async || {
        service.settle().await.unwrap();
        events(&service.engine().config().meta, event::FRESHNESS_MISSED)
            .await
            .len()
    };
    clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert_eq!(missed().await, 0);
    let fresh = service.freshness().await.unwrap();
    assert_eq!((fresh.len(), fresh[0].late), (1, false));
    clock.advance(Duration::from_secs(2));
    assert_eq!(missed().await, 1);
    assert!(service.freshness().await.unwrap()[0].late);
    clock.advance(Duration::from_secs(3600));
    assert_eq!(missed().await, 1, "once a miss");
    publish(service.engine(), "a", 0..2).await;
    assert_eq!(missed().await, 1);
    assert!(!service.freshness().await.unwrap()[0].late);
    clock.advance(Duration::from_secs(25 * 3600));
    assert_eq!(missed().await, 2);
    service.shutdown().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn several_people_approve_and_only_those_who_may() {
    let home = Home::new();
    let engine = home.engine().await;
    let config = json!({ "approvers": ["role:approver", "user:carl"], "required": 2 });
    let asks = || plan("asks", vec![task("ask", "ask", config.clone())]);
    let says = |approved, by: &str, role: Option<&str>| Decision {
        approved,
        by: by.to_owned(),
        role: role.map(str::to_owned),
        comment: Some(format!("says {by}")),
    };
    let id = engine.submit(submit(asks())).await.unwrap();
    engine.wait(&id, WaitFor::EndedOrWaiting).await.unwrap();
    let code = async |decision| {
        engine
            .decide(&id, None, decision)
            .await
            .map_err(|error| error.code().to_owned())
    };
    let refused = Err("run.not_approver".to_owned());
    assert_eq!(code(says(true, "vera", Some("viewer"))).await, refused);
    assert_eq!(code(says(true, "ada", Some("approver"))).await, Ok(()));
    assert_eq!(
        code(says(true, "ada", Some("approver"))).await,
        Err("run.already_approved".to_owned())
    );
    assert_eq!(
        engine.questions(Some(&id)).await.unwrap().len(),
        1,
        "one more is needed"
    );
    // The answer so far outlives the process.
    engine.shutdown().await;
    let engine = home.engine().await;
    engine.recover().await.unwrap();
    engine
        .decide(&id, None, says(true, "carl", Some("viewer")))
        .await
        .unwrap();
    let ended = engine.wait(&id, WaitFor::Ended).await.unwrap();
    assert_eq!(ended.state, RunState::Succeeded);
    assert_eq!(support::task(&ended, "ask").metrics["by"], "ada, carl");
    let meta = &engine.config().meta;
    assert_eq!(events(meta, event::APPROVAL_GIVEN).await.len(), 1);
    assert_eq!(events(meta, event::APPROVAL_DECIDED).await.len(), 1);
    assert_eq!(meta.decisions(&id).await.unwrap().len(), 2);
    // One no is enough, and an admin may always answer.
    let id = engine.submit(submit(asks())).await.unwrap();
    engine.wait(&id, WaitFor::EndedOrWaiting).await.unwrap();
    engine
        .decide(&id, None, says(false, "root", Some("admin")))
        .await
        .unwrap();
    let ended = engine.wait(&id, WaitFor::Ended).await.unwrap();
    assert_eq!(ended.state, RunState::Failed);
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_approve_at_once_are_both_counted() {
    let home = Home::new();
    let engine = home.engine().await;
    let asks = plan("asks", vec![task("ask", "ask", json!({ "required": 4 }))]);
    let id = engine.submit(submit(asks)).await.unwrap();
    engine.wait(&id, WaitFor::EndedOrWaiting).await.unwrap();
    let approve = |by: &'static str| {
        let decision = Decision {
            approved: true,
            by: by.to_owned(),
            role: None,
            comment: None,
        };
        let (engine, id) = (engine.clone(), id.clone());
        async move { engine.decide(&id, None, decision).await }
    };
    let all = tokio::join!(approve("a"), approve("b"), approve("c"), approve("d"));
    assert!(
        all.0.is_ok() && all.1.is_ok() && all.2.is_ok() && all.3.is_ok(),
        "{all:?}"
    );
    let ended = engine.wait(&id, WaitFor::Ended).await.unwrap();
    assert_eq!(ended.state, RunState::Succeeded);
    engine.shutdown().await;
}
