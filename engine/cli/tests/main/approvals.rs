//! A run that waits for a person: nothing runs meanwhile, and the record says who decided.

use super::support::{Project, state};

const DAG: &str = "\
apiVersion: twinloom/v1
kind: Dag
name: release
steps:
  approve:
    uses: approve
    in: {report: \"dataset:report@latest\"}
    out: {verdict: verdict}
  after:
    uses: command
    after: [approve]
    with: {argv: [\"true\"]}
";

fn project() -> Project {
    let project = Project::new();
    project.write("dag.yaml", DAG);
    project.write(
        "report.csv",
        "metric,subject,value,low,high,threshold,passed,evidence\neval_loss,candidate,1.5,1.4,1.6,2.5,true,{}\n",
    );
    project.ok(&[
        "dataset",
        "import",
        "report",
        "report.csv",
        "--keys",
        "metric,subject",
    ]);
    project
}

#[test]
fn a_run_waits_and_an_approval_from_another_process_goes_on_with_it() {
    let project = project();
    let ran = project.run(&["run", "dag.yaml", "--json"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert_eq!(
        (ran.state("approve"), ran.state("after")),
        ("waiting".into(), "pending".into())
    );
    assert_eq!(project.json(&["approvals"]).as_array().unwrap().len(), 1);

    let done = project.json(&["approve", "latest", "--as", "ada", "--comment", "reads like me"]);
    assert_eq!(done["status"], "succeeded", "{done}");
    let show = project.ok(&["show", "latest"]).stdout;
    assert!(
        show.contains("approved by ada") && show.contains("reads like me"),
        "{show}"
    );
    assert!(project.json(&["approvals"]).as_array().unwrap().is_empty());
    let verdict = project.ok(&["dataset", "head", "verdict", "--json"]).last_json();
    assert_eq!(verdict["by"], "ada");
}

#[test]
fn a_rejection_ends_the_run_and_what_comes_after_does_not_run() {
    let project = project();
    assert_eq!(project.run(&["run", "dag.yaml"]).code, 4);
    let ran = project.run(&["reject", "latest", "--as", "ada", "--comment", "not me", "--json"]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    let run = ran.last_json();
    assert_eq!(
        (state(&run, "approve"), state(&run, "after")),
        ("failed".into(), "upstream_failed".into())
    );
}

#[test]
fn approve_as_answers_by_itself() {
    let project = project();
    let run = project.json(&["run", "dag.yaml", "--approve-as", "demo"]);
    assert_eq!(run["status"], "succeeded");
    assert!(
        project
            .ok(&["show", "latest"])
            .stdout
            .contains("approved by demo")
    );
}
