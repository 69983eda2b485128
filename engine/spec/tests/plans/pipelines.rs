//! Pipelines put in place.

use serde_json::json;
use twinloom_spec::{Library, PlannedInput, SourceFile, codes, expr, validate};

use super::{COLLECT, plan, task};
use crate::catalog::{library, operators, plan_of};

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
fn a_pipeline_is_no_dag() {
    let pipeline = SourceFile::new(
        "p.yaml",
        "apiVersion: twinloom/v1\nkind: Pipeline\nname: p\nsteps: {}\n",
    );
    let refused = validate(&pipeline, library(), operators()).unwrap_err();
    assert_eq!((refused.0.len(), refused.0[0].code), (1, codes::KIND));
}
