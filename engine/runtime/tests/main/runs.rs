//! Many runs, many tasks: concurrency, pools, slots, ownership.

use std::time::Duration;

use serde_json::json;
use twinloom_meta::{RunState, TaskState};
use twinloom_runtime::{EngineEvent, WaitFor};
use twinloom_spec::{Concurrency, WhenBusy};

use crate::{
    plans::{TaskExt, plan, task},
    support::{self, Home, run, submit},
};

fn nap(ms: u64, max_runs: u32, when_busy: WhenBusy) -> twinloom_spec::Plan {
    let mut plan = plan("nap", vec![task("nap", "nap", json!({ "ms": ms }))]);
    plan.concurrency = Concurrency {
        max_runs: Some(max_runs),
        when_busy,
        priority: 50,
    };
    plan
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_too_many_waits_is_skipped_or_takes_the_place() {
    let home = Home::new();
    let engine = home.engine().await;
    let first = engine.submit(submit(nap(300, 1, WhenBusy::Queue))).await.unwrap();
    let second = engine.submit(submit(nap(1, 1, WhenBusy::Queue))).await.unwrap();
    assert_eq!(engine.summary(&second).await.unwrap().state, RunState::Queued);
    let skipped = run(&engine, nap(1, 1, WhenBusy::Skip)).await;
    assert_eq!(skipped.state, RunState::Skipped);
    let first = engine.wait(&first, WaitFor::Ended).await.unwrap();
    let second = engine.wait(&second, WaitFor::Ended).await.unwrap();
    assert_eq!(
        (first.state, second.state),
        (RunState::Succeeded, RunState::Succeeded)
    );
    assert!(second.started_at.unwrap() >= first.ended_at.unwrap());
    let old = engine
        .submit(submit(nap(600_000, 1, WhenBusy::Queue)))
        .await
        .unwrap();
    let new = run(&engine, nap(1, 1, WhenBusy::Cancel)).await;
    assert_eq!(new.state, RunState::Succeeded);
    assert_eq!(
        engine.wait(&old, WaitFor::Ended).await.unwrap().state,
        RunState::Cancelled
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_and_slots_are_never_overdrawn() {
    let home = Home::new();
    let engine = home.engine_with(|config| config.max_parallel = 3).await;
    let mut events = engine.subscribe();
    let nap = |index: usize| {
        let mut nap = task(&format!("nap[{index}]"), "nap", json!({ "ms": 20 }));
        nap.pool = index.is_multiple_of(2).then(|| "gpu".to_owned());
        nap
    };
    let mut plan = plan("pools", (0..10).map(nap).collect());
    plan.pools.insert("gpu".to_owned(), 2);
    let id = engine.submit(submit(plan)).await.unwrap();
    let (mut all, mut gpu, mut most_all, mut most_gpu) = (0_i32, 0_i32, 0, 0);
    loop {
        match events.recv().await.unwrap() {
            EngineEvent::Task { task, state, .. } => {
                let change = match state {
                    TaskState::Running => 1,
                    TaskState::Succeeded => -1,
                    _ => 0,
                };
                all += change;
                let even = task.trim_end_matches(']').ends_with(['0', '2', '4', '6', '8']);
                gpu += if even { change } else { 0 };
                (most_all, most_gpu) = (most_all.max(all), most_gpu.max(gpu));
            }
            EngineEvent::Run { state, .. } if state.ended() => break,
            _ => {}
        }
    }
    assert_eq!(
        engine.wait(&id, WaitFor::Ended).await.unwrap().state,
        RunState::Succeeded
    );
    assert!((2..=3).contains(&most_all), "{most_all} ran at a time");
    assert!(
        (1..=2).contains(&most_gpu),
        "{most_gpu} of the pool ran at a time"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wide_run_ends_and_its_summary_is_whole() {
    let home = Home::new();
    let engine = home.engine_with(|config| config.max_parallel = 32).await;
    let mut tasks: Vec<_> = (0..500)
        .map(|index| task(&format!("note[{index}]"), "note", json!({ "n": index })))
        .collect();
    let last = (0..500).fold(task("last", "note", json!({})), |last, index| {
        last.after(&format!("note[{index}]"))
    });
    tasks.push(last);
    let started = std::time::Instant::now();
    let ended = run(&engine, plan("wide", tasks)).await;
    assert_eq!(ended.state, RunState::Succeeded);
    assert_eq!(ended.tasks.len(), 501);
    assert!(ended.tasks.iter().all(|task| task.attempts == 1));
    assert!(
        started.elapsed() < Duration::from_secs(30),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_cannot_run_is_refused_before_anything_is_stored() {
    let home = Home::new();
    let engine = home.engine().await;
    let code = async |plan| engine.submit(submit(plan)).await.unwrap_err().code().to_owned();
    assert_eq!(
        code(plan("bad", vec![task("a", "nobody", json!({}))])).await,
        "run.unknown_operator"
    );
    assert_eq!(
        code(plan("bad", vec![task("a", "note", json!({})).after("b")])).await,
        "run.bad_plan"
    );
    let twice = vec![task("a", "note", json!({})), task("a", "note", json!({}))];
    assert_eq!(code(plan("bad", twice)).await, "run.bad_plan");
    assert!(
        engine
            .config()
            .meta
            .runs(&Default::default())
            .await
            .unwrap()
            .is_empty()
    );
    let empty = run(&engine, plan("empty", Vec::new())).await;
    assert_eq!(empty.state, RunState::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn why_says_what_happened_to_a_run_and_a_task() {
    let home = Home::new();
    let engine = home.engine().await;
    let data = task("data", "flaky", json!({ "succeed_at": 9, "how": "data" })).output("out", "x");
    let ended = run(
        &engine,
        plan("why", vec![data, task("next", "note", json!({})).after("data")]),
    )
    .await;
    let why = engine.why(&ended.id, Some("next")).await.unwrap().text;
    assert!(why.contains("not run because `data` failed"), "{why}");
    let why = engine.why(&ended.id, None).await.unwrap();
    assert!(why.text.contains("the data is bad"), "{}", why.text);
    assert_eq!(
        why.events
            .iter()
            .map(|event| event.kind.as_str())
            .collect::<Vec<_>>(),
        ["run.started", "run.ended"]
    );
    assert_eq!(support::task(&ended, "next").attempts, 0);
}
