//! Tasks of a plan: edges, names, templates, conditions, parameters.

use serde_json::{Value, json};
use twinloom_spec::{
    Backoff, Library, Plan, PlannedInput, SourceFile, WhenBusy, codes, expr, parse_dag, validate,
};

use super::{COLLECT, plan, task};
use crate::catalog::{library, operators, plan_of};

#[test]
fn edges_names_and_defaults() {
    let plan = plan(&format!(
        "pools: {{gpu: 1}}\nconcurrency: {{max_runs: 2, when_busy: skip}}\n\
         defaults: {{timeout: 30m, retries: {{max: 5, backoff: linear}}, pool: cpu, cache: false}}\n{COLLECT}  \
         Clean: {{uses: clean, in: {{documents: collect.documents}}, after: [last], timeout: 1h30m, retries: {{max: 0}}, cache: true}}\n  \
         stored: {{uses: clean, in: {{documents: 'dataset:raw@v1'}}, pool: gpu, executor: inline, resources: {{memory: 2GiB, threads: 2}}}}\n  \
         last: {{uses: merge, in: {{documents: [collect.documents, stored.documents]}}}}\n"
    ));
    let order: Vec<_> = plan.tasks.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(order, ["collect", "stored", "last", "Clean"]);
    assert_eq!(plan.pools["gpu"], 1);
    assert_eq!(
        (plan.concurrency.max_runs, plan.concurrency.when_busy),
        (Some(2), WhenBusy::Skip)
    );
    let clean = task(&plan, "Clean");
    assert_eq!(clean.outputs["documents"], "demo.clean.documents");
    assert_eq!(
        clean.inputs["documents"],
        PlannedInput::Task {
            task: "collect".into(),
            port: "documents".into()
        }
    );
    assert_eq!(clean.needs, ["last", "collect"]);
    assert_eq!((clean.retries.max, clean.retries.backoff), (0, Backoff::Linear));
    assert_eq!(clean.timeout.unwrap().as_secs(), 5400);
    assert!(clean.cache && clean.pool.as_deref() == Some("cpu"));
    let stored = task(&plan, "stored");
    assert_eq!(
        stored.inputs["documents"],
        PlannedInput::Dataset {
            reference: "raw@v1".into()
        }
    );
    assert_eq!(
        (stored.pool.as_deref(), stored.executor.as_deref()),
        (Some("gpu"), Some("inline"))
    );
    assert_eq!(
        (stored.resources.memory, stored.resources.threads),
        (Some(2 << 30), Some(2))
    );
    assert_eq!(stored.timeout.unwrap().as_secs(), 1800);
    let tasks = vec!["collect".into(), "stored".into()];
    assert_eq!(
        task(&plan, "last").inputs["documents"],
        PlannedInput::Gather {
            tasks,
            port: "documents".into()
        }
    );
    assert_eq!(task(&plan, "collect").outputs["documents"], "raw");
}

#[test]
fn a_plan_survives_json() {
    let plan = plan(&format!(
        "{COLLECT}  t: {{uses: pipeline/training, in: {{documents: collect.documents}}}}\n"
    ));
    let again: Plan = serde_json::from_value(serde_json::to_value(&plan).unwrap()).unwrap();
    assert_eq!(plan, again);
}

#[test]
fn templates_are_filled_as_far_as_known() {
    let body = "params: {a: {default: 'x ${{ steps.c.metrics.n }}'}, n: {default: -2}, d: {default: '$'}}\nsteps:\n  \
                c: {uses: command, with: {argv: ['${{ params.a }}', '$${{ kept }}']}}\n  \
                d:\n    uses: command\n    with:\n      argv: ['${{ params.d }}${{ steps.c.metrics.n + params.n }}', \
                '${{ params.a ~ run.id }}', 'secret:KEY', '${{ {\"k\": [steps.c.metrics.n]} }}']\n";
    let plan = plan(body);
    let scope = json!({"steps": {"c": {"metrics": {"n": 7}}}, "run": {"id": "R"}});
    let rendered = |id: &str| expr::render(&task(&plan, id).config, &scope).unwrap();
    assert_eq!(
        rendered("c"),
        json!({"argv": ["x ${{ steps.c.metrics.n }}", "${{ kept }}"]}),
        "values are never templates"
    );
    assert_eq!(
        rendered("d"),
        json!({"argv": ["$5", "x ${{ steps.c.metrics.n }}R", "secret:KEY", {"k": [7]}]}),
        "{}",
        task(&plan, "d").config
    );
    assert_eq!(task(&plan, "d").needs, ["c"]);
}

#[test]
fn conditions_are_decided_where_they_can_be() {
    let plan = plan(
        "params: {on: {default: false}}\nsteps:\n  a: {uses: command, with: {argv: [x]}, if: '${{ params.on }}'}\n  \
         b: {uses: command, with: {argv: [x]}, if: '${{ not params.on }}'}\n  c: {uses: command, with: {argv: [x]}, if: false}\n  \
         d: {uses: command, with: {argv: [x]}, if: '${{ steps.a.metrics.n > 3 or params.on }}'}\n",
    );
    let condition = |id: &str| task(&plan, id).condition.clone();
    assert_eq!(condition("a").as_deref(), Some("false"));
    assert_eq!(condition("b"), None);
    assert_eq!(condition("c").as_deref(), Some("false"));
    assert_eq!(
        condition("d").as_deref(),
        Some("steps[\"a\"][\"metrics\"][\"n\"] > 3 or false")
    );
}

#[test]
fn given_parameters_are_checked() {
    let body = format!(
        "params:\n  author: {{type: string}}\n  limit: {{type: integer, minimum: 1, maximum: 9, default: 3}}\n  \
         mode: {{enum: [fast, slow], default: fast}}\n  list: {{type: array, items: {{type: string}}, default: []}}\n{COLLECT}"
    );
    let given = json!({"author": 3, "limit": 10, "mode": "fats", "list": ["a", 1], "athor": "x"});
    let refused = plan_of(&body, &given).unwrap_err();
    let found: Vec<_> = refused
        .0
        .iter()
        .map(|found| (found.code, found.message.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (codes::PARAM_VALUE, "`author` must be text, found an integer"),
            (codes::UNKNOWN_PARAM, "there is no parameter `athor`"),
            (codes::PARAM_VALUE, "`limit` must be at most 9, found 10"),
            (
                codes::PARAM_VALUE,
                "`mode` must be one of `fast`, `slow`, found `fats`"
            ),
            (codes::PARAM_VALUE, "`list[1]` must be text, found an integer"),
        ]
    );
    let plan = plan_of(&body, &json!({"author": "Ada", "limit": 9})).unwrap();
    assert_eq!(
        Value::Object(plan.params),
        json!({"author": "Ada", "limit": 9, "mode": "fast", "list": []})
    );
    let text = format!("apiVersion: twinloom/v1\nkind: Dag\nname: demo\n{body}");
    let file = SourceFile::new("x.yaml", text);
    validate(&file, library(), operators()).expect("a parameter without a value does not make a file wrong");
    let dag = parse_dag(&file).unwrap();
    assert_eq!(dag.param_value("author", "12"), json!("12"));
    assert_eq!(dag.param_value("limit", "12"), json!(12));
    assert_eq!(dag.param_value("list", "[a, {b: 1}]"), json!(["a", {"b": 1}]));
    assert_eq!(dag.param_value("mode", "a: b: c"), json!("a: b: c"));
    assert_eq!(dag.params_schema()["required"], json!(["author"]));
}

#[test]
fn triggers_are_read() {
    let text = "apiVersion: twinloom/v1\nkind: Dag\nname: demo\non:\n  schedule: {cron: '0 6 * * *', timezone: Europe/Berlin, \
                catchup: latest, start: 2026-01-01, jitter: 5m}\n  datasets: {all: [{name: instruct, min_changed_rows: 50, \
                tag: good, metrics: {f1: {min: 0.5}}, checks: [unique]}, eval_set], within: 24h, debounce: 5m}\n  \
                models: twin\n  runs: {dag: other, state: [failed, succeeded]}\n  webhook: {secret: secret:HOOK}\n  \
                queue: [{name: jobs, batch: 10, params: {author: /author}}]\nsteps: {a: {uses: command, with: {argv: [x]}}}\n";
    let file = SourceFile::new("x.yaml", text);
    let dag = validate(&file, &Library::default(), operators()).unwrap_or_else(|errors| panic!("{errors}"));
    let on = dag.on.unwrap();
    let datasets = &on.datasets.unwrap().values[0];
    assert_eq!(datasets.all.as_ref().unwrap()[0].0.min_changed_rows, Some(50));
    assert_eq!(datasets.all.as_ref().unwrap()[1].0.name.value.0, "eval_set");
    assert_eq!(datasets.within.as_ref().unwrap().0.as_secs(), 86_400);
    assert_eq!(on.queue.unwrap().values[0].batch.as_ref().unwrap().value, 10);
}

#[test]
fn keys_with_nothing_behind_them_are_left_out() {
    let plan = plan(
        "description:\nparams: {n: {default: null}}\non:\nsteps:\n  a:\n    uses: command\n    in:\n    out: ~\n    with: {argv: [x, '${{ params.n }}y']}\n    if:\n",
    );
    assert_eq!(plan.tasks[0].config, json!({"argv": ["x", "y"]}));
    assert_eq!(plan.params["n"], Value::Null);
}

#[test]
fn errors_are_data_as_well() {
    let refused = plan_of("steps: {a: {uses: comand}}\n", &json!({})).unwrap_err();
    let json = serde_json::to_value(&refused).unwrap();
    assert_eq!(json[0]["code"], "spec.unknown_operator");
    assert_eq!(
        (json[0]["file"].as_str(), json[0]["line"].as_u64()),
        (Some("demo.yaml"), Some(4))
    );
    assert_eq!(json[0]["hint"], "Did you mean `command`?");
    assert!(refused.render(true).contains("\u{1b}["));
}
