//! Retries, timeouts, crashes, cancellation.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use twinloom_meta::{RunState, TaskState, event};
use twinloom_runtime::{Clock, EngineEvent, ManualClock, WaitFor};
use twinloom_spec::Backoff;

use crate::{
    plans::{TaskExt, plan, task},
    support::{self, Home, events, run, submit},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_transient_failure_is_tried_again_up_to_the_limit() {
    let home = Home::new();
    let engine = home.engine().await;
    let flaky =
        |id: &str, succeed_at: u32| task(id, "flaky", json!({ "succeed_at": succeed_at })).output("out", id);
    let ended = run(
        &engine,
        plan("retry", vec![flaky("third", 3), flaky("fourth", 4)]),
    )
    .await;
    assert_eq!(ended.state, RunState::Failed);
    let third = support::task(&ended, "third");
    assert_eq!(
        (third.state, third.attempts, &third.error),
        (TaskState::Succeeded, 3, &None)
    );
    let fourth = support::task(&ended, "fourth");
    assert_eq!((fourth.state, fourth.attempts), (TaskState::Failed, 3));
    assert_eq!(fourth.error.as_ref().unwrap()["code"], "test.flaky");
    let attempts = engine
        .config()
        .meta
        .attempts(&ended.id, Some("third"))
        .await
        .unwrap();
    let outcomes: Vec<_> = attempts
        .iter()
        .map(|attempt| attempt.outcome.as_deref().unwrap())
        .collect();
    assert_eq!(outcomes, ["failed", "failed", "succeeded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_data_is_to_blame_for_is_not_tried_again() {
    let home = Home::new();
    let engine = home.engine().await;
    let data = task("data", "flaky", json!({ "succeed_at": 9, "how": "data" })).output("out", "x");
    let ended = run(&engine, plan("data", vec![data])).await;
    let data = support::task(&ended, "data");
    assert_eq!((data.state, data.attempts), (TaskState::Failed, 1));
    let error = ended.error.unwrap();
    assert_eq!(
        (&error["task"], &error["task_code"]),
        (&json!("data"), &json!("test.data"))
    );
    assert!(
        error["message"].as_str().unwrap().contains("the data is bad"),
        "{error}"
    );
    // The event says it too, and so does `why`.
    let told = events(&engine.config().meta, event::RUN_ENDED).await;
    assert_eq!(told[0].payload["error"], error);
    let why = engine.why(&ended.id, None).await.unwrap().text;
    assert!(why.contains("(test.data).\nWhat to do: "), "{why}");
    let log = engine.logs(&ended.id, "data").await.unwrap();
    assert!(log.last().unwrap().message.contains("the data is bad"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_hangs_or_crashes_is_replaced() {
    let home = Home::new();
    let engine = home.engine().await;
    let flaky = |id: &str, how: &str| {
        let config = json!({ "succeed_at": 2, "how": how });
        let mut task = task(id, "flaky", config).output("out", id).in_process();
        task.timeout = Some(Duration::from_millis(if how == "hang" { 400 } else { 60_000 }));
        task
    };
    let ended = run(
        &engine,
        plan("crash", vec![flaky("hangs", "hang"), flaky("aborts", "crash")]),
    )
    .await;
    assert_eq!(ended.state, RunState::Succeeded, "{ended:#?}");
    let meta = &engine.config().meta;
    for (task, outcome, code) in [
        ("hangs", "timed_out", "task.timeout"),
        ("aborts", "crashed", "worker.crashed"),
    ] {
        let attempts = meta.attempts(&ended.id, Some(task)).await.unwrap();
        assert_eq!(
            (attempts.len(), attempts[0].outcome.as_deref()),
            (2, Some(outcome))
        );
        assert_eq!(attempts[0].error.as_ref().unwrap()["code"], code);
        assert!(attempts[0].pid.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn backoff_waits_by_the_clock_that_was_handed_in() {
    let home = Home::new();
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let engine = home
        .engine_with(|config| config.clock = Arc::clone(&clock) as Arc<dyn Clock>)
        .await;
    let mut events = engine.subscribe();
    let mut flaky = task("flaky", "flaky", json!({ "succeed_at": 3 })).output("out", "x");
    flaky.retries.initial = Duration::from_secs(100);
    flaky.retries.max_delay = Duration::from_secs(1000);
    flaky.retries.backoff = Backoff::Exponential;
    let id = engine.submit(submit(plan("backoff", vec![flaky]))).await.unwrap();
    let mut next = async |attempt: u32| loop {
        if let EngineEvent::Task {
            state: TaskState::Pending,
            attempt: seen,
            ..
        } = events.recv().await.unwrap()
            && seen == attempt
        {
            return;
        }
    };
    next(1).await;
    let row = engine.config().meta.task(&id, "flaky").await.unwrap();
    assert_eq!(
        row.next_attempt_at.unwrap(),
        "2026-01-01T00:01:40Z".parse().unwrap()
    );
    assert!(row.reason.unwrap().contains("test.flaky"));
    clock.advance(Duration::from_secs(100));
    next(2).await;
    clock.advance(Duration::from_secs(200));
    let ended = engine.wait(&id, WaitFor::Ended).await.unwrap();
    assert_eq!(ended.state, RunState::Succeeded);
    assert_eq!(ended.ended_at.unwrap(), "2026-01-01T00:05:00Z".parse().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_stops_what_runs_and_starts_nothing_more() {
    let home = Home::new();
    let engine = home.engine().await;
    let tasks = vec![
        task("inline", "nap", json!({ "ms": 600_000 })),
        task("process", "nap", json!({ "ms": 600_000 })).in_process(),
        task("later", "note", json!({})).after("inline"),
    ];
    let mut events = engine.subscribe();
    let id = engine.submit(submit(plan("cancel", tasks))).await.unwrap();
    let mut running = 0;
    while running < 2 {
        if let EngineEvent::Task {
            state: TaskState::Running,
            ..
        } = events.recv().await.unwrap()
        {
            running += 1;
        }
    }
    engine.cancel(&id, "ada", "enough").await.unwrap();
    let ended = engine.wait(&id, WaitFor::Ended).await.unwrap();
    assert_eq!(ended.state, RunState::Cancelled);
    assert!(
        ended.tasks.iter().all(|task| task.state == TaskState::Cancelled),
        "{ended:#?}"
    );
    assert_eq!(ended.error.unwrap()["message"], "cancelled by ada: enough");
    assert!(
        engine
            .config()
            .meta
            .open_attempts(Some(&id))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        engine.cancel(&id, "ada", "").await.unwrap_err().code(),
        "run.ended"
    );
    let audit = engine.config().meta.audit(10).await.unwrap();
    assert_eq!(
        (audit[0].action.as_str(), audit[0].by.as_str()),
        ("cancel", "ada")
    );
    // What was stopped can be run again.
    engine.retry(&id, None, "ada").await.unwrap();
    assert_eq!(engine.summary(&id).await.unwrap().state, RunState::Running);
    engine.cancel(&id, "ada", "again").await.unwrap();
    assert_eq!(
        engine.wait(&id, WaitFor::Ended).await.unwrap().state,
        RunState::Cancelled
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_is_retried_from_where_it_failed() {
    let home = Home::new();
    let engine = home.engine().await;
    let mut flaky = task("flaky", "flaky", json!({ "succeed_at": 2 }))
        .output("out", "x")
        .after("look");
    flaky.retries.max = 0;
    let look = task("look", "look", json!({ "texts": ["a"] })).output("out", "raw");
    let upper = task("upper", "upper", json!({}))
        .input("rows", "flaky", "out")
        .output("out", "caps");
    let ended = run(&engine, plan("again", vec![look, flaky, upper])).await;
    assert_eq!(ended.state, RunState::Failed);
    assert_eq!(support::task(&ended, "upper").state, TaskState::UpstreamFailed);
    engine.retry(&ended.id, None, "ada").await.unwrap();
    let ended = engine.wait(&ended.id, WaitFor::Ended).await.unwrap();
    assert_eq!(ended.state, RunState::Succeeded, "{ended:#?}");
    assert_eq!(ended.error, None);
    let told = events(&engine.config().meta, event::RUN_ENDED).await;
    let errors: Vec<bool> = told
        .iter()
        .map(|row| row.payload.get("error").is_some())
        .collect();
    assert_eq!(errors, [true, false]);
    assert_eq!(
        support::task(&ended, "look").attempts,
        1,
        "what had succeeded is left alone"
    );
    assert_eq!(support::task(&ended, "upper").outputs[0].version, 1);
    assert_eq!(
        engine.retry(&ended.id, None, "ada").await.unwrap_err().code(),
        "run.nothing_to_retry"
    );
    assert_eq!(
        engine
            .retry(&ended.id, Some("nobody"), "ada")
            .await
            .unwrap_err()
            .code(),
        "run.unknown_task"
    );
    // From a task that had succeeded: it and what follows run again, and publish nothing as nothing has changed.
    engine.retry(&ended.id, Some("look"), "ada").await.unwrap();
    let again = engine.wait(&ended.id, WaitFor::Ended).await.unwrap();
    let look = support::task(&again, "look");
    assert_eq!(
        (
            look.attempts,
            look.outputs[0].outcome.as_str(),
            look.outputs[0].version
        ),
        (2, "unchanged", 1)
    );
    assert_eq!(support::task(&again, "upper").state, TaskState::Cached);
}
