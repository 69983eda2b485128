//! A model that is not released: the run says why, and so does a question to it.

use twinloom_store::{FeatureStore, StoreLocation};

use super::{
    models::register,
    support::{Project, state},
};

/// A step that measures in place of `evaluate`, behind the approval of `pipelines/release.yaml`.
const DAG: &str = r#"
apiVersion: twinloom/v1
kind: Dag
name: release
params:
  passed: {type: boolean, default: false}
steps:
  evaluate:
    uses: command
    with:
      argv: ["sh", "-c", 'printf "%s\n" "$1"', "sh", '{"type": "result", "metrics": {"passed": ${{ params.passed }}, "missed": "1 held-out documents, 2 are needed", "verdict": "all checks"}}']
  approve:
    uses: approve
    after: [evaluate]
    if: ${{ steps.evaluate.metrics.passed }}
    in: {report: "dataset:report@latest"}
    out: {verdict: verdict}
"#;

#[test]
fn a_run_whose_gate_is_not_passed_says_why_nobody_was_asked() {
    let project = Project::with_report(DAG);
    let why = "evaluate: 1 held-out documents, 2 are needed";
    let run = project.json(&["run", "dag.yaml"]);
    assert_eq!(
        (state(&run, "approve").as_str(), run["not_released"].as_str()),
        ("skipped", Some(why)),
        "{run}"
    );
    // Said again where the verdict comes from the cache, and by `show`.
    for arguments in [["run", "dag.yaml"], ["show", "latest"]] {
        let ran = project.ok(&arguments);
        assert!(
            ran.stdout.contains(&format!("not released: {why}")),
            "{}",
            ran.stdout
        );
    }
    let run = project.json(&["run", "dag.yaml", "--param", "passed=true", "--approve-as", "ada"]);
    assert_eq!(run["not_released"], serde_json::Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_to_a_model_that_was_not_released_says_what_there_is() {
    let project = Project::new();
    project.fails(&["ask", "What?"], 3, "store.not_found", "");
    let location = StoreLocation::new(format!("file://{}", project.path(".twinloom/store").display()));
    let store = FeatureStore::open(&location).await.unwrap();
    let weights = project.write("weights.txt", "some");
    register(&store, "twin", None, &[&weights]).await;
    for hint in ["twinloom ask --model twin@latest", "twinloom show latest"] {
        project.fails(&["ask", "What?"], 3, "store.not_found", hint);
    }
}
