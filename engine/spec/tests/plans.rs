//! What plans come to.

use serde_json::{Value, json};
use twinloom_spec::{
    Backoff, Goal, Library, Plan, PlannedInput, PlannedTask, SourceFile, WhenBusy, codes, expr, parse_dag,
    validate,
};

use crate::catalog::{library, operators, plan_of};

fn plan(body: &str) -> Plan {
    plan_of(body, &json!({})).unwrap_or_else(|errors| panic!("{errors}"))
}

fn task<'a>(plan: &'a Plan, id: &str) -> &'a PlannedTask {
    let ids: Vec<_> = plan.tasks.iter().map(|task| &task.id).collect();
    plan.tasks
        .iter()
        .find(|task| task.id == id)
        .unwrap_or_else(|| panic!("{id} is not in {ids:?}"))
}

const COLLECT: &str = "steps:\n  collect: {uses: scrape, with: {sources: []}, out: {documents: raw}}\n";

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
fn pipelines_are_put_in_place() {
    let plan = plan(&format!(
        "{COLLECT}  t:\n    uses: pipeline/nested\n    in: {{documents: collect.documents}}\n    after: gate\n    \
         if: ${{{{ steps.gate.metrics.ok }}}}\n    out: {{model: twin}}\n  gate: {{uses: command, with: {{argv: [x]}}}}\n  \
         p: {{uses: promote, in: {{model: t.model}}}}\n  end: {{uses: command, with: {{argv: [x]}}, after: t}}\n"
    ));
    let train = task(&plan, "t/inner/train");
    assert_eq!(train.step, "t/inner/train");
    assert_eq!(
        train.inputs["documents"],
        PlannedInput::Task {
            task: "t/clean".into(),
            port: "documents".into()
        }
    );
    assert!(!train.inputs.contains_key("base"));
    assert_eq!(train.config, json!({"rank": 8, "note": "none"}));
    assert_eq!(train.timeout.unwrap().as_secs(), 7200);
    assert_eq!(
        train.outputs["model"], "tuned",
        "the name inside stands where the outermost use does not reach"
    );
    assert_eq!(
        train.condition.as_deref(),
        Some("steps[\"gate\"][\"metrics\"][\"ok\"]")
    );
    assert_eq!(train.needs, ["gate", "t/clean"]);
    let evaluate = task(&plan, "t/inner/evaluate");
    let both =
        "(steps[\"gate\"][\"metrics\"][\"ok\"]) and (steps[\"t/inner/train\"][\"metrics\"][\"loss\"] < 3)";
    assert_eq!(evaluate.condition.as_deref(), Some(both));
    let scope =
        json!({"steps": {"gate": {"metrics": {"ok": true}}, "t/inner/train": {"metrics": {"loss": 2.5}}}});
    assert_eq!(expr::eval(both, &scope), Ok(json!(true)));
    assert_eq!(
        task(&plan, "p").inputs["model"],
        PlannedInput::Task {
            task: "t/inner/train".into(),
            port: "model".into()
        }
    );
    assert_eq!(
        task(&plan, "end").needs,
        ["t/inner/evaluate"],
        "to wait for a pipeline is to wait for its last tasks"
    );
}

#[test]
fn the_user_of_a_pipeline_names_its_outputs() {
    let plan = plan(&format!(
        "{COLLECT}  t: {{uses: pipeline/training, in: {{documents: collect.documents}}, out: {{model: twin}}, pool: gpu}}\n"
    ));
    assert_eq!(task(&plan, "t/train").outputs["model"], "twin");
    assert_eq!(task(&plan, "t/train").pool.as_deref(), Some("gpu"));
    assert_eq!(
        task(&plan, "t/evaluate").outputs["report"],
        "demo.t.evaluate.report"
    );
}

#[test]
fn a_matrix_and_its_best() {
    let plan = plan(&format!(
        "params: {{lrs: {{default: [0.0001, 3e-4]}}}}\n{COLLECT}  train:\n    uses: train\n    \
         in: {{documents: collect.documents}}\n    matrix: {{rank: [8, 16], lr: '${{{{ params.lrs }}}}'}}\n    \
         select: {{metric: loss, goal: minimize}}\n    \
         with: {{rank: '${{{{ matrix.rank }}}}', lr: '${{{{ matrix.lr * 2 }}}}', note: 'r${{{{ matrix.rank }}}}'}}\n  \
         evaluate: {{uses: evaluate, in: {{model: train.model}}, if: '${{{{ steps.train.metrics.loss < 2 }}}}'}}\n"
    ));
    let first = task(&plan, "train[rank=8,lr=0.0001]");
    assert_eq!(first.config, json!({"rank": 8, "lr": 0.0002, "note": "r8"}));
    assert_eq!(
        Value::Object(first.variant.clone()),
        json!({"rank": 8, "lr": 0.0001})
    );
    assert_eq!(first.step, "train");
    assert_eq!(first.outputs["model"], "demo.train.rank-8-lr-0.0001.model");
    let evaluate = task(&plan, "evaluate");
    let PlannedInput::Select {
        variants,
        port,
        metric,
        goal,
    } = &evaluate.inputs["model"]
    else {
        panic!("{:?}", evaluate.inputs)
    };
    assert_eq!(
        (variants.len(), port.as_str(), metric.as_str(), *goal),
        (4, "model", "loss", Goal::Minimize)
    );
    assert_eq!(evaluate.needs.len(), 4);
    let steps: serde_json::Map<_, _> = variants
        .iter()
        .zip([1.5, 0.5, 3.0, 2.5])
        .map(|(variant, loss)| (variant.task.clone(), json!({"metrics": {"loss": loss}})))
        .collect();
    let condition = evaluate.condition.as_deref().unwrap();
    assert_eq!(
        expr::eval(condition, &json!({ "steps": steps })),
        Ok(json!(true)),
        "{condition}"
    );
}

#[test]
fn a_matrix_over_a_pipeline() {
    let plan = plan(&format!(
        "{COLLECT}  t:\n    uses: pipeline/training\n    in: {{documents: collect.documents}}\n    matrix: {{rank: [8, 16]}}\n    \
         with: {{rank: '${{{{ matrix.rank }}}}'}}\n    select: {{metric: score, goal: maximize, step: evaluate}}\n  \
         p: {{uses: promote, in: {{model: t.model}}}}\n"
    ));
    let PlannedInput::Select { variants, .. } = &task(&plan, "p").inputs["model"] else {
        panic!("no choice")
    };
    assert_eq!(
        (variants[1].task.as_str(), variants[1].metric_task.as_str()),
        ("t[rank=16]/train", "t[rank=16]/evaluate")
    );
    assert_eq!(task(&plan, "p").needs.len(), 4);
    assert_eq!(task(&plan, "t[rank=16]/train").config["rank"], 16);
    assert_eq!(task(&plan, "t[rank=16]/train").step, "t/train");
}

#[test]
fn for_each_entry_a_task() {
    let body = "params: {urls: {type: array, default: [{url: a, kind: git}]}}\nsteps:\n  fetch:\n    uses: scrape\n    \
                for_each: ${{ params.urls }}\n    as: source\n    with: {sources: ['${{ item }}'], author: '${{ source.url }}!'}\n    \
                out: {documents: 'raw_${{ item.url }}'}\n  merge: {uses: merge, in: {documents: fetch.documents}}\n  \
                count: {uses: command, with: {argv: ['${{ steps.fetch | map(attribute=\"metrics.rows\") | sum }}']}}\n";
    let plan = plan_of(
        body,
        &json!({"urls": [{"kind": "git", "url": "a"}, {"kind": "git", "url": "b"}]}),
    )
    .unwrap();
    let second = task(&plan, "fetch[1]");
    assert_eq!(
        second.config,
        json!({"sources": [{"kind": "git", "url": "b"}], "author": "b!"})
    );
    assert_eq!(second.outputs["documents"], "raw_b");
    let tasks = vec!["fetch[0]".into(), "fetch[1]".into()];
    assert_eq!(
        task(&plan, "merge").inputs["documents"],
        PlannedInput::Gather {
            tasks,
            port: "documents".into()
        }
    );
    let count = task(&plan, "count");
    assert_eq!(count.needs, ["fetch[0]", "fetch[1]"]);
    let scope =
        json!({"steps": {"fetch[0]": {"metrics": {"rows": 2}}, "fetch[1]": {"metrics": {"rows": 3}}}});
    assert_eq!(expr::render(&count.config, &scope), Ok(json!({"argv": [5]})));
    let none = plan_of(body, &json!({"urls": []})).unwrap();
    assert_eq!(none.tasks.len(), 2);
    assert!(none.tasks[0].inputs.is_empty());
    let refused = plan_of(body, &json!({"urls": [{"kind": "gti", "url": "a"}]})).unwrap_err();
    assert_eq!(
        refused.0[0].code,
        codes::CONFIG,
        "what a template gives is checked as well: {refused}"
    );
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
fn a_pipeline_takes_values_of_the_run() {
    let plan = plan(&format!(
        "{COLLECT}  t:\n    uses: pipeline/training\n    in: {{documents: collect.documents}}\n    \
         with: {{note: '${{{{ steps.c.metrics.n }}}} of ${{{{ run.id }}}}', rank: '${{{{ steps.c.metrics.n }}}}'}}\n  \
         c: {{uses: command, with: {{argv: [x]}}}}\n"
    ));
    let train = task(&plan, "t/train");
    assert!(train.needs.contains(&"c".to_owned()));
    let scope = json!({"steps": {"c": {"metrics": {"n": 7}}}, "run": {"id": "R"}});
    assert_eq!(
        expr::render(&train.config, &scope),
        Ok(json!({"rank": 7, "note": "7 of R"}))
    );
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
fn two_pipelines_of_one_name_are_refused() {
    let text = "apiVersion: twinloom/v1\nkind: Pipeline\nname: twice\nsteps: {}\n";
    let files = vec![SourceFile::new("a.yaml", text), SourceFile::new("b.yaml", text)];
    let refused = Library::from_files(files).unwrap_err();
    assert_eq!(refused.0[0].code, codes::DUPLICATE_PIPELINE);
    assert_eq!(refused.0[0].hint.as_deref(), Some("The other one is in a.yaml."));
}

#[test]
fn a_pipeline_used_twice_needs_names() {
    let body = |out: &str| {
        format!(
            "{COLLECT}  a: {{uses: pipeline/training, in: {{documents: collect.documents}}}}\n  \
             b: {{uses: pipeline/training, in: {{documents: collect.documents}}{out}}}\n"
        )
    };
    let refused = plan_of(&body(""), &json!({})).unwrap_err();
    assert_eq!(refused.0[0].code, codes::DUPLICATE_OUTPUT);
    assert_eq!(
        refused.0[0].message,
        "`tuned` is published by `a/train` and by `b/train`"
    );
    assert_eq!(plan(&body(", out: {model: other}")).tasks.len(), 5);
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
fn a_pipeline_is_no_dag() {
    let pipeline = SourceFile::new(
        "p.yaml",
        "apiVersion: twinloom/v1\nkind: Pipeline\nname: p\nsteps: {}\n",
    );
    let refused = validate(&pipeline, library(), operators()).unwrap_err();
    assert_eq!((refused.0.len(), refused.0[0].code), (1, codes::KIND));
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

const SEARCH: &str = "  train:\n    uses: train\n    in: {documents: collect.documents}\n    search:\n      random: 6\n      \
     over: {lr: {log_uniform: [1e-4, 1e-2]}, rank: {integer: [4, 32]}, how: {choice: [a, b]}}\nHALVING\n    \
     select: {metric: loss, goal: minimize}\n    \
     with: {rank: '${{ search.rank }}', lr: '${{ search.lr }}', note: '${{ search.how }}'}\n  \
     evaluate: {uses: evaluate, in: {model: train.model}, if: '${{ steps.train.metrics.loss < 2 }}'}\n";

#[test]
fn a_search_draws_within_its_ranges_and_again_the_same() {
    let body = |more: &str| format!("{COLLECT}{}", SEARCH.replace("HALVING", more));
    let one = plan(&body(""));
    assert_eq!(one, plan(&body("")));
    let trials: Vec<_> = one.tasks.iter().filter(|task| task.step == "train").collect();
    assert_eq!(trials.len(), 6);
    assert_eq!(trials[3].id, "train[trial=3]");
    for task in &trials {
        let (rate, rank) = (
            task.config["lr"].as_f64().unwrap(),
            task.config["rank"].as_i64().unwrap(),
        );
        assert!(
            (1e-4..=1e-2).contains(&rate) && (4..=32).contains(&rank),
            "{}",
            task.config
        );
        assert!(["a", "b"].contains(&task.config["note"].as_str().unwrap()));
        let trial = task.trial.as_deref().unwrap();
        assert_eq!(
            (trial.of, trial.rung, trial.metric_task.as_str()),
            (6, 0, task.id.as_str())
        );
        assert_eq!(trial.values["rank"], task.config["rank"]);
    }
    let rates: std::collections::HashSet<_> =
        trials.iter().map(|task| task.config["lr"].to_string()).collect();
    assert_eq!(rates.len(), 6);
    assert_ne!(
        plan(&body("      seed: 1")).tasks[1].config,
        one.tasks[1].config,
        "another seed draws others"
    );
    let more = plan(&body("").replace("random: 6", "random: 8"));
    assert_eq!(
        more.tasks[1].config, one.tasks[1].config,
        "more trials leave the first as they were"
    );
    let few = body("").replace(
        "lr: {log_uniform: [1e-4, 1e-2]}, rank: {integer: [4, 32]}",
        "rank: {integer: [1, 2]}, lr: {choice: [1]}",
    );
    let drawn = plan(&few)
        .tasks
        .iter()
        .filter(|task| task.step == "train")
        .count();
    assert_eq!(drawn, 4, "each configuration once");
    let PlannedInput::Select { variants, .. } = &task(&one, "evaluate").inputs["model"] else {
        panic!("no choice")
    };
    assert_eq!(variants.len(), 6);
}

#[test]
fn rungs_wait_for_the_rung_before() {
    let halving = "      halving: {budget: steps, min: 10, max: 100}";
    let text = format!(
        "{COLLECT}{}",
        SEARCH
            .replace("HALVING", halving)
            .replace("note: '${{ search.how }}'", "note: '${{ search.steps }}'")
    );
    let plan = plan(&text);
    let budgets: Vec<_> = plan
        .tasks
        .iter()
        .filter(|task| task.trial.as_ref().is_some_and(|trial| trial.number == 2))
        .map(|task| task.config["note"].as_i64().unwrap())
        .collect();
    assert_eq!(budgets, [10, 30, 100]);
    let second = task(&plan, "train[trial=1,steps=30]");
    assert!((0..6).all(|trial| second.needs.contains(&format!("train[trial={trial},steps=10]"))));
    let scope = |losses: [Option<f64>; 6]| {
        let steps: serde_json::Map<_, _> = losses
            .iter()
            .enumerate()
            .map(|(trial, loss)| {
                let metrics = loss.map_or(json!({}), |loss| json!({ "loss": loss }));
                (
                    format!("train[trial={trial},steps=10]"),
                    json!({ "metrics": metrics }),
                )
            })
            .collect();
        json!({ "steps": steps })
    };
    let goes_on = |losses| expr::eval(second.condition.as_deref().unwrap(), &scope(losses)).unwrap();
    let some = Some;
    assert_eq!(
        goes_on([some(3.0), some(2.0), some(2.5), some(4.0), some(5.0), some(6.0)]),
        json!(true)
    );
    assert_eq!(
        goes_on([some(1.0), some(2.0), some(1.5), some(4.0), some(5.0), some(6.0)]),
        json!(false)
    );
    assert_eq!(
        goes_on([some(1.0), some(2.0), None, some(4.0), some(5.0), some(6.0)]),
        json!(false),
        "one in three of five"
    );
    assert_eq!(goes_on([None, None, None, None, None, None]), json!(false));
    let PlannedInput::Select { variants, .. } = &task(&plan, "evaluate").inputs["model"] else {
        panic!("no choice")
    };
    assert_eq!(variants.len(), 18);
}

#[test]
fn a_search_over_a_pipeline() {
    let plan = plan(&format!(
        "{COLLECT}  t:\n    uses: pipeline/training\n    in: {{documents: collect.documents}}\n    \
         search: {{random: 2, over: {{rank: {{integer: [1, 99]}}}}, halving: {{budget: n, min: 1, max: 2, factor: 2}}}}\n    \
         with: {{rank: '${{{{ search.rank }}}}'}}\n    select: {{metric: score, goal: maximize, step: evaluate}}\n  \
         p: {{uses: promote, in: {{model: t.model}}}}\n"
    ));
    let train = task(&plan, "t[trial=1,n=2]/train");
    let trial = train.trial.as_deref().unwrap();
    assert_eq!(
        (trial.search.as_str(), trial.metric_task.as_str()),
        ("t", "t[trial=1,n=2]/evaluate")
    );
    assert!(
        train.needs.contains(&"t[trial=0,n=1]/evaluate".to_owned()),
        "{:?}",
        train.needs
    );
    assert!(train.condition.as_deref().unwrap().contains("among_best"));
}

#[test]
fn what_is_wrong_with_a_search_is_said() {
    let refused = |search: &str, rest: &str| {
        let body = format!(
            "{COLLECT}  train:\n    uses: train\n    in: {{documents: collect.documents}}\n    search: {search}\n{rest}"
        );
        let errors = plan_of(&body, &json!({})).unwrap_err();
        errors
            .0
            .iter()
            .map(|error| error.message.clone())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let select = "    select: {metric: loss, goal: minimize}\n";
    for (search, rest, expected) in [
        ("{random: 2, over: {lr: {uniform: [0, 1]}}}", "", "needs `select`"),
        (
            "{random: 0, over: {lr: {uniform: [0, 1]}}}",
            select,
            "from 1 to 256",
        ),
        ("{random: 2, over: {}}", select, "draws nothing"),
        (
            "{random: 2, over: {lr: {uniform: [1, 0]}}}",
            select,
            "below the second",
        ),
        (
            "{random: 2, over: {lr: {log_uniform: [0, 1]}}}",
            select,
            "above 0",
        ),
        (
            "{random: 2, over: {lr: {integer: [0, 1.5]}}}",
            select,
            "whole numbers",
        ),
        (
            "{random: 2, over: {lr: {uniform: [0, 1], choice: [1]}}}",
            select,
            "one of",
        ),
        (
            "{random: 2, over: {lr: {choice: []}}}",
            select,
            "nothing to choose from",
        ),
        (
            "{random: 2, over: {lr: {uniform: [0, 1]}}, halving: {budget: lr, min: 1, max: 9}}",
            select,
            "budget's name",
        ),
        (
            "{random: 2, over: {lr: {uniform: [0, 1]}}, halving: {budget: n, min: 9, max: 9}}",
            select,
            "must grow",
        ),
        (
            "{random: 2, over: {lr: {uniform: [0, 1]}}, halving: {budget: n, min: 1, max: 9, factor: 1}}",
            select,
            "2 or more",
        ),
        (
            "{random: 2, over: {lr: {uniform: [0, 1]}}, reuse: worst}",
            select,
            "worst",
        ),
        (
            "{random: 2, over: {lr: {uniform: [0, 1]}}}\n    matrix: {rank: [1]}",
            select,
            "one of `search`",
        ),
        (
            "{random: 2, over: {lr: {uniform: [0, 1]}}}\n    with: {rank: '${{ search.rnk }}'}",
            select,
            "draws no `rnk`",
        ),
    ] {
        let found = refused(search, rest);
        assert!(found.contains(expected), "{search}: {found}");
    }
}
