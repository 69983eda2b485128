//! Searches: what is drawn, and which rung waits for which.

use serde_json::json;
use twinloom_spec::{PlannedInput, expr};

use super::{COLLECT, plan, task};
use crate::catalog::plan_of;

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
