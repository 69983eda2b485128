//! A run that waits for a person: nothing runs meanwhile, and the record says who decided.

use std::{
    io::{BufRead, Read, Write},
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::support::{Project, TWINLOOM, state};

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

#[test]
fn a_run_waits_and_an_approval_from_another_process_goes_on_with_it() {
    let project = Project::with_report(DAG);
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
    let project = Project::with_report(DAG);
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
    let project = Project::with_report(DAG);
    let run = project.json(&["run", "dag.yaml", "--approve-as", "demo"]);
    assert_eq!(run["status"], "succeeded");
    assert!(
        project
            .ok(&["show", "latest"])
            .stdout
            .contains("approved by demo")
    );
}

#[test]
fn a_decision_has_a_name_under_it() {
    let project = Project::with_report(DAG);
    for nobody in ["", "  "] {
        let ran = project.run(&["run", "dag.yaml", "--approve-as", nobody]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("approval.no_name"), "{}", ran.stderr);
    }
    assert_eq!(project.run(&["run", "dag.yaml"]).code, 4);
    project.fails(
        &["approve", "latest", "--as", " "],
        2,
        "approval.no_name",
        "--as NAME",
    );
    assert_eq!(
        project.json(&["approvals"]).as_array().unwrap().len(),
        1,
        "it still waits"
    );
}

fn interrupt(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, Signal::SIGINT).unwrap();
}

/// Reads until a line holds this.
fn read_to(lines: &mut impl BufRead, words: &str) {
    let mut line = String::new();
    while !line.contains(words) {
        line.clear();
        assert_ne!(
            lines.read_line(&mut line).unwrap(),
            0,
            "it ended without: {words}"
        );
    }
}

#[test]
fn who_leaves_while_a_run_waits_leaves_it_waiting() {
    let project = Project::with_report(DAG);
    let (mut child, mut said) = project.start(&["run", "dag.yaml", "--wait"]);
    read_to(&mut said, "? approve");
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(4));
    assert_eq!(project.json(&["approvals"]).as_array().unwrap().len(), 1);
    assert_eq!(
        project.json(&["approve", "latest", "--as", "ada"])["status"],
        "succeeded"
    );
}

#[test]
fn who_leaves_at_the_prompt_leaves_it_waiting_too() {
    let project = Project::with_report(DAG);
    // A terminal of its own: the question is asked there alone. In the shell's place, since some shells would answer the
    // signal themselves once their child has ended.
    let mut command = Command::new("script");
    command.args([
        "--quiet",
        "--return",
        "--command",
        "exec \"$PROGRAM\" run dag.yaml",
        "/dev/null",
    ]);
    project.place(&mut command);
    let started = command
        .env("SHELL", "/bin/sh")
        .env("PROGRAM", TWINLOOM)
        .env("TERM", "dumb")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = started else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: no program `script` to make a terminal with"
        );
        return;
    };
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("[l]ater") {
        let mut part = [0; 256];
        let read = screen.read(&mut part).unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&part[..read]);
    }
    keys.write_all(&[3]).unwrap();
    let drained = std::thread::spawn(move || screen.read_to_end(&mut Vec::new()));
    assert_eq!(child.wait().unwrap().code(), Some(4));
    drop(keys);
    drained.join().unwrap().unwrap();
    assert_eq!(project.json(&["approvals"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_second_signal_ends_at_once() {
    let project = Project::new();
    project.write(
        "dag.yaml",
        "apiVersion: twinloom/v1\nkind: Dag\nname: stubborn\nsteps:\n  nap:\n    uses: command\n    with: {argv: [sh, -c, \"trap '' TERM; echo napping >&2; echo x > $MARK; while :; do sleep 0.1; done\"], env: {MARK: MARKFILE}}\n"
            .replace("MARKFILE", &project.path("mark").display().to_string())
            .as_str(),
    );
    let (mut child, mut said) = project.start(&["run", "dag.yaml"]);
    while !project.path("mark").is_file() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    interrupt(&child);
    read_to(&mut said, "once more ends at once");
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
