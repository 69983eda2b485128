//! Earlier results.

use serde_json::json;
use twinloom_meta::{TaskState, event};
use twinloom_runtime::{TaskPreview, Would};

use crate::{
    plans::{TaskExt, plan, task},
    support::{self, Home, events, run},
};

fn letters(text: &str) -> twinloom_spec::Plan {
    let look = task("look", "look", json!({ "texts": [text] })).output("out", "raw");
    let upper = task("upper", "upper", json!({}))
        .input("rows", "look", "out")
        .output("out", "caps");
    plan("letters", vec![look, upper])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_equal_task_takes_the_earlier_result_and_publishes_nothing() {
    let home = Home::new();
    let engine = home.engine().await;
    let first = run(&engine, letters("a")).await;
    let second = run(&engine, letters("a")).await;
    let look = support::task(&second, "look");
    assert_eq!(
        (look.state, look.outputs[0].outcome.as_str()),
        (TaskState::Succeeded, "unchanged")
    );
    let upper = support::task(&second, "upper");
    assert_eq!((upper.state, upper.outputs[0].version), (TaskState::Cached, 1));
    assert_eq!(
        upper.reason.clone().unwrap(),
        format!("cached from run {}, task `upper`", first.id)
    );
    assert_eq!(upper.metrics, support::task(&first, "upper").metrics);
    assert_eq!(
        events(&engine.config().meta, event::DATASET_PUBLISHED)
            .await
            .len(),
        2
    );
    // Other content, then the first again: the version of then is referred to.
    let third = run(&engine, letters("b")).await;
    assert_eq!(support::task(&third, "upper").outputs[0].version, 2);
    let fourth = run(&engine, letters("a")).await;
    let upper = support::task(&fourth, "upper");
    assert_eq!((upper.state, upper.outputs[0].version), (TaskState::Cached, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_configuration_or_output_name_is_another_task() {
    let home = Home::new();
    let engine = home.engine().await;
    run(&engine, letters("a")).await;
    let mut other = letters("a");
    other.tasks[1].config = json!({ "suffix": "!" });
    assert_eq!(
        support::task(&run(&engine, other).await, "upper").state,
        TaskState::Succeeded
    );
    let mut other = letters("a");
    other.tasks[1] = other.tasks[1].clone().output("out", "elsewhere");
    assert_eq!(
        support::task(&run(&engine, other).await, "upper").state,
        TaskState::Succeeded
    );
    let mut other = letters("a");
    other.tasks[1].cache = false;
    let upper = run(&engine, other).await;
    assert_eq!(
        support::task(&upper, "upper").state,
        TaskState::Succeeded,
        "`cache: false` runs"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_the_store_no_longer_has_is_made_again() {
    let home = Home::new();
    let engine = home.engine().await;
    run(&engine, letters("a")).await;
    std::fs::remove_dir_all(home.dir.path().join("store/datasets/caps")).unwrap();
    drop(engine);
    let engine = home.engine().await;
    let again = run(&engine, letters("a")).await;
    assert_eq!(support::task(&again, "upper").state, TaskState::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_says_what_would_run_and_why() {
    let home = Home::new();
    let engine = home.engine().await;
    let make = |text: &str| {
        let rows = task("rows", "rows", json!({ "texts": [text] })).output("out", "raw");
        let upper = task("upper", "upper", json!({}))
            .input("rows", "rows", "out")
            .output("out", "caps");
        let off = task("off", "note", json!({})).when("false");
        plan("preview", vec![rows, upper, task("look", "note", json!({})), off])
    };
    let would = |previews: Vec<TaskPreview>| {
        previews
            .into_iter()
            .map(|preview| preview.would)
            .collect::<Vec<_>>()
    };
    let before = would(engine.plan_preview(&make("a")).await.unwrap());
    assert_eq!(before, [Would::Run, Would::Unknown, Would::Run, Would::Skip]);
    run(&engine, make("a")).await;
    let after = would(engine.plan_preview(&make("a")).await.unwrap());
    assert_eq!(after, [Would::Cached, Would::Cached, Would::Run, Would::Skip]);
    assert_eq!(
        would(engine.plan_preview(&make("b")).await.unwrap())[0],
        Would::Run
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_goes_on_without_what_a_task_can_do_without() {
    let home = Home::new();
    let engine = home.engine().await;
    let make = || {
        let rows = task("rows", "rows", json!({ "texts": ["a"] })).output("out", "raw");
        let other = task("other", "rows", json!({ "texts": ["b"] }))
            .when("false")
            .output("out", "others");
        let compare = task("compare", "compare", json!({}))
            .input("rows", "rows", "out")
            .input("other", "other", "out");
        let upper = task("upper", "upper", json!({})).input("rows", "other", "out");
        plan("without", vec![rows, other, compare, upper])
    };
    let would = |previews: Vec<TaskPreview>| {
        previews
            .into_iter()
            .map(|preview| preview.would)
            .collect::<Vec<_>>()
    };
    let before = would(engine.plan_preview(&make()).await.unwrap());
    assert_eq!(before, [Would::Run, Would::Skip, Would::Unknown, Would::Skip]);
    let ended = run(&engine, make()).await;
    assert_eq!(support::task(&ended, "compare").metrics["others"], 0);
    let after = would(engine.plan_preview(&make()).await.unwrap());
    assert_eq!(after, [Would::Cached, Would::Skip, Would::Cached, Would::Skip]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_compared_with_itself_is_what_had_nothing_to_be_compared_with() {
    let home = Home::new();
    let engine = home.engine().await;
    let make = |text: &str| {
        let rows = task("rows", "rows", json!({ "texts": [text] })).output("out", "raw");
        let compare = task("compare", "compare", json!({}))
            .input("rows", "rows", "out")
            .dataset("other", "raw@latest");
        plan("compare", vec![rows, compare])
    };
    let others = |run: &twinloom_runtime::RunSummary| support::task(run, "compare").metrics["others"].clone();
    let first = run(&engine, make("a")).await;
    assert_eq!(others(&first), 0, "there is none yet");
    assert_eq!(
        engine.plan_preview(&make("a")).await.unwrap()[1].would,
        Would::Cached
    );
    let second = run(&engine, make("a")).await;
    assert_eq!(support::task(&second, "compare").state, TaskState::Cached);
    let third = run(&engine, make("b")).await;
    assert_eq!(others(&third), 1);
}
