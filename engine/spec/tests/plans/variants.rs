//! Matrices, and a task for each entry.

use serde_json::{Value, json};
use twinloom_spec::{Goal, PlannedInput, codes, expr};

use super::{COLLECT, plan, task};
use crate::catalog::plan_of;

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
