//! Searches, from the YAML on.

use serde_json::{Map, Value, json};
use twinloom_meta::{RunState, TaskState};
use twinloom_runtime::{
    RunSummary,
    experiments::{self, ExperimentFilter},
};
use twinloom_spec::{Library, Plan, SourceFile};

use crate::{
    operators,
    support::{self, Home, run},
};

fn tune(search: &str) -> Plan {
    let text = format!(
        "apiVersion: twinloom/v1\nkind: Dag\nname: tune\nsteps:\n  \
         rows: {{uses: rows, with: {{texts: [a]}}, out: {{out: raw}}}}\n  \
         fit:\n    uses: fit\n    in: {{rows: rows.out}}\n    search: {search}\n    \
         select: {{metric: loss, goal: minimize}}\n    out: {{model: fitted}}\n    \
         with: {{rate: '${{{{ search.rate }}}}', steps: '${{{{ search.steps }}}}'}}\n  \
         say: {{uses: note, with: {{best: '${{{{ steps.fit.metrics.loss }}}}'}}}}\n  \
         use: {{uses: promote, in: {{model: fit.model}}}}\n"
    );
    let file = SourceFile::new("tune.yaml", text);
    twinloom_spec::plan(&file, &Library::default(), &operators::registry(), &Map::new())
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn trials(run: &RunSummary, state: TaskState) -> Vec<&str> {
    let fits = run
        .tasks
        .iter()
        .filter(|task| task.step == "fit" && task.state == state);
    fits.map(|task| task.id.as_str()).collect()
}

fn losses(run: &RunSummary) -> Vec<f64> {
    let all = run.tasks.iter().filter(|task| task.step == "fit");
    all.filter_map(|task| task.metrics.get("loss").and_then(Value::as_f64))
        .collect()
}

const HALVING: &str = "{random: 9, seed: 1, over: {rate: {uniform: [0, 0.8]}}, halving: {budget: steps, min: 2, max: 18}, reuse: best}";

#[tokio::test(flavor = "multi_thread")]
async fn better_trials_go_on_and_the_best_flows_on_and_is_reused() {
    let home = Home::new();
    let engine = home.engine().await;
    let first = run(&engine, tune(HALVING)).await;
    assert_eq!(first.state, RunState::Succeeded);
    let ran = trials(&first, TaskState::Succeeded);
    let of = |steps: u32| {
        ran.iter()
            .filter(|id| id.ends_with(&format!(",steps={steps}]")))
            .count()
    };
    assert_eq!((of(2), of(6), of(18)), (9, 3, 1), "{ran:?}");
    assert_eq!(trials(&first, TaskState::Skipped).len(), 27 - 13);
    let best = losses(&first).into_iter().fold(f64::INFINITY, f64::min);
    assert_eq!(support::task(&first, "say").metrics["best"], json!(best));
    let winner = first
        .tasks
        .iter()
        .find(|task| task.metrics.get("loss") == Some(&json!(best)))
        .unwrap();
    let store = &engine.config().store;
    let production = store.model(&"fitted@production".parse().unwrap()).await.unwrap();
    assert_eq!(production.version, winner.outputs[0].version);

    // The next run takes it as it is, and takes it from the cache.
    let preview = engine.plan_preview(&tune(HALVING)).await.unwrap();
    assert_eq!(preview.iter().filter(|task| task.step == "fit").count(), 1);
    let second = run(&engine, tune(HALVING)).await;
    assert_eq!(trials(&second, TaskState::Cached), [winner.id.as_str()]);
    assert_eq!(second.tasks.len(), 4);
    let said = support::task(&second, "say").metrics["best"].as_f64().unwrap();
    assert!((said - best).abs() < 1e-9);
    let third = run(&engine, tune(HALVING)).await;
    assert_eq!(third.tasks.len(), 4, "what was reused is reused again");

    // Another search does not draw it: everything is tried again.
    let other = run(&engine, tune(&HALVING.replace("seed: 1", "seed: 2"))).await;
    assert_eq!(other.tasks.len(), 30);
    let mut fresh = tune(HALVING);
    fresh.tasks.iter_mut().for_each(|task| task.cache = false);
    assert_eq!(run(&engine, fresh).await.tasks.len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_trials_are_left_out_and_only_the_last_one_fails_the_run() {
    let home = Home::new();
    let engine = home.engine().await;
    let some = "{random: 12, over: {rate: {choice: [0.1, 0.3, 0.95, 0.97]}, steps: {integer: [1, 9]}}}";
    let mixed = run(&engine, tune(some)).await;
    assert_eq!(mixed.state, RunState::Succeeded);
    let left_out: Vec<_> = mixed
        .tasks
        .iter()
        .filter(|task| task.state == TaskState::Skipped)
        .collect();
    assert!(!left_out.is_empty() && left_out.len() < 12);
    for task in left_out {
        assert!(
            task.reason.as_deref().unwrap().contains("the rate is too high"),
            "{task:?}"
        );
        assert_eq!(task.error.as_ref().unwrap()["code"], "fit.diverged");
    }
    assert_eq!(support::task(&mixed, "use").state, TaskState::Succeeded);

    let none = "{random: 4, over: {rate: {uniform: [0.95, 1]}, steps: {integer: [1, 9]}}}";
    let failed = run(&engine, tune(none)).await;
    assert_eq!(failed.state, RunState::Failed);
    assert_eq!(trials(&failed, TaskState::Failed).len(), 1);
    assert_eq!(support::task(&failed, "use").state, TaskState::UpstreamFailed);
}

#[tokio::test(flavor = "multi_thread")]
async fn rungs_that_gain_nothing_end_the_search() {
    let home = Home::new();
    let engine = home.engine().await;
    // From 2 to 6 steps the loss falls by a third, from 6 to 18 by a ninth.
    let search = HALVING
        .replace("max: 18", "max: 54, min_gain: 0.2")
        .replace(", reuse: best", "");
    let stopped = run(&engine, tune(&search)).await;
    let ran = trials(&stopped, TaskState::Succeeded);
    assert!(ran.iter().any(|id| id.ends_with("steps=18]")), "{ran:?}");
    assert!(!ran.iter().any(|id| id.ends_with("steps=54]")), "{ran:?}");
    assert_eq!(support::task(&stopped, "use").state, TaskState::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn experiments_are_listed_compared_and_drawn() {
    let home = Home::new();
    let engine = home
        .engine_with(|config| config.code_revision = Some("abc-dirty".to_owned()))
        .await;
    let search = "{random: 3, over: {rate: {choice: [0.1, 0.3, 0.5]}, steps: {choice: [4]}}}";
    let ran = run(&engine, tune(search)).await;
    let meta = &engine.config().meta;
    let filter = ExperimentFilter {
        step: Some("fit".to_owned()),
        ..ExperimentFilter::default()
    };
    let found = experiments::list(meta, &filter).await.unwrap();
    assert_eq!(found.len(), 3, "the trials");
    let first = &found[0];
    assert_eq!(
        (first.task.as_str(), first.dag.as_str()),
        ("fit[trial=0]", "tune")
    );
    assert_eq!(first.config["steps"], 4);
    assert_eq!(first.inputs[0].name, "raw");
    assert_eq!(first.outputs[0].name, "fitted");
    assert_eq!(first.code_revision.as_deref(), Some("abc-dirty"));
    assert_eq!(
        (first.series[0].name.as_str(), first.series[0].points),
        ("loss", 3)
    );

    let comparison = experiments::compare(found);
    let row = |group: &str, name: &str| {
        comparison
            .rows
            .iter()
            .find(|row| row.group == group && row.name == name)
            .unwrap()
    };
    assert!(row("config", "rate").differs && !row("config", "steps").differs);
    assert!(row("metric", "loss").differs);
    assert_eq!(
        row("input", "rows").values,
        [json!("raw@1"), json!("raw@1"), json!("raw@1")]
    );

    let curves = experiments::curves(meta, &ran.id, Some("fit[trial=1]"), Some("loss"))
        .await
        .unwrap();
    assert_eq!(curves.len(), 1);
    assert_eq!(
        curves[0].points.iter().map(|(step, _)| *step).collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert!((curves[0].points[1].1 - 0.5).abs() < 1e-9);
    assert_eq!(
        experiments::of_run(meta, &ran.id).await.unwrap().len(),
        4,
        "a note with a curve is one as well, rows are none"
    );
}
