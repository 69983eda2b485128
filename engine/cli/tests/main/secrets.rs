//! Secrets reach the steps that name them, from wherever they are kept, and nothing else.

use std::{fs, path::Path};

use serde_json::Value;

use super::support::{Project, Up};

const VALUE: &str = "correct-horse-battery-staple";
const DAG: &str = r#"apiVersion: twinloom/v1
kind: Dag
name: keys
steps:
  said:
    uses: command
    with:
      # What is said backwards cannot be struck out: it shows that the value came.
      argv: [sh, -c, 'echo "out $KEY"; echo "err $KEY" >&2; printf %s "$KEY" | rev; echo "$(env | grep -c TWINLOOM_SECRET_) others"']
      env: {KEY: "secret:API_KEY"}
  counted:
    uses: command
    with:
      argv: [sh, -c, 'printf "{\"type\":\"metric\",\"name\":\"$KEY\",\"value\":1}\n{\"type\":\"result\",\"metrics\":{\"note\":\"$KEY\"}}\n"']
      env: {KEY: "secret:API_KEY"}
  failed:
    uses: command
    after: [said, counted]
    with:
      argv: [sh, -c, 'echo "cannot log in with $KEY" >&2; exit 3']
      env: {KEY: "secret:API_KEY"}
"#;

fn set(project: &Project, name: &str, value: &str) {
    let ran = project.run_with(&format!("{value}\n"), &["secret", "set", name]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

/// Every file below a folder whose bytes hold the text.
fn holding(dir: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if fs::read(&path)
            .unwrap()
            .windows(text.len())
            .any(|part| part == text.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

fn logged(project: &Project, task: &str) -> String {
    project.ok(&["logs", "latest", task]).stdout
}

const CHOSEN: &str = r#"apiVersion: twinloom/v1
kind: Dag
name: chosen
params: {key: {type: string, default: none}}
steps:
  said:
    uses: command
    with:
      argv: [sh, -c, 'printf %s "$KEY" | rev']
      env: {KEY: "${{ params.key }}"}
"#;

#[test]
fn who_starts_a_run_does_not_choose_its_secrets() {
    let project = Project::new();
    project.write("dag.yaml", CHOSEN);
    set(&project, "API_KEY", VALUE);
    let ran = project.run(&["run", "dag.yaml", "--param", "key=secret:API_KEY"]);
    assert_ne!(ran.code, 0, "{}", ran.stdout);
    assert!(
        ran.stderr.contains("the parameter `key` names a secret"),
        "{}",
        ran.stderr
    );
    assert_eq!(project.run(&["run", "dag.yaml", "--param", "key=text"]).code, 0);
}

#[test]
fn a_stored_secret_reaches_its_step_and_shows_nowhere() {
    let project = Project::new();
    project.write("dag.yaml", DAG);
    set(&project, "API_KEY", VALUE);
    let ran = project.run(&["run", "dag.yaml", "--json"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(ran.state("said"), "succeeded", "{}", ran.stdout);
    let said = logged(&project, "said");
    let backwards: String = VALUE.chars().rev().collect();
    assert!(said.contains(&backwards), "the program had the value: {said}");
    assert!(
        said.contains("out [secret]") && said.contains("err [secret]") && said.contains("0 others"),
        "{said}"
    );
    let show = project.json(&["show", "latest"]);
    let task = |id: &str| -> Value {
        let tasks = show["tasks"].as_array().unwrap();
        tasks.iter().find(|task| task["id"] == id).unwrap().clone()
    };
    assert_eq!(task("counted")["metrics"]["note"], "[secret]");
    let error = task("failed")["error"].to_string();
    assert!(
        error.contains("command.failed") && error.contains("cannot log in with [secret]"),
        "{error}"
    );
    let why = project.ok(&["why", "latest"]).stdout;
    for text in [&ran.stdout, &ran.stderr, &show.to_string(), &why] {
        assert!(!text.contains(VALUE), "{text}");
    }
    assert_eq!(holding(project.dir.path(), VALUE), Vec::<String>::new());
}

#[test]
fn a_server_takes_them_from_environment_file_and_store_and_answers_with_none() {
    let project = Project::new();
    let values = [
        ("ONE", "value-of-the-environment"),
        ("TWO", "value-of-a-file"),
        ("THREE", "value-of-the-store"),
    ];
    let step = |name: &str| {
        format!(
            "  {name}:\n    uses: command\n    with: {{argv: [sh, -c, 'echo \"$KEY\"; printf %s \"$KEY\" | rev'], env: {{KEY: \"secret:{name}\"}}}}\n"
        )
    };
    let steps: String = values.iter().map(|(name, _)| step(name)).collect();
    project.write(
        "dags/keys.yaml",
        &format!("apiVersion: twinloom/v1\nkind: Dag\nname: keys\nsteps:\n{steps}"),
    );
    let file = project.write(".twinloom/secrets/TWO", "value-of-a-file\n");
    let up = project.up(&[("TWINLOOM_SECRET_ONE", "value-of-the-environment")]);
    let server = ["--server", up.url.as_str()];
    let ran = project.run_with(
        "value-of-the-store",
        &[["secret", "set", "THREE"].as_slice(), &server].concat(),
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let run = project.json(&[["run", "keys"].as_slice(), &server].concat());
    assert_eq!(run["status"], "succeeded", "{run}");
    let id = run["id"].as_str().unwrap();
    for (name, value) in values {
        let log = up.get(&format!("/api/v1/runs/{id}/tasks/{name}/logs"));
        let backwards: String = value.chars().rev().collect();
        assert!(log.contains("[secret]") && log.contains(&backwards), "{log}");
    }
    let answers = answers(&up, id);
    drop(up);
    fs::remove_file(file).unwrap();
    for (name, value) in values {
        assert!(!answers.contains(value), "an answer holds {name}");
        assert_eq!(holding(project.dir.path(), value), Vec::<String>::new(), "{name}");
    }
}

/// What the server says of a run, its secrets and its work, all in one.
fn answers(up: &Up, run: &str) -> String {
    let paths = [
        "",
        "/graph",
        "/why",
        "/metrics",
        "/source",
        "/tasks/ONE",
        "/tasks/TWO",
        "/tasks/THREE",
    ];
    let of_run = paths.map(|path| format!("/api/v1/runs/{run}{path}"));
    let others = [
        "secrets",
        "secrets/THREE",
        "events",
        "audit",
        "dags",
        "dags/keys",
        "dags/keys/grid",
        "overview",
        "runs",
    ]
    .map(|path| format!("/api/v1/{path}"));
    let all = of_run.into_iter().chain(others).chain(["/metrics".to_owned()]);
    all.map(|path| {
        let answer = up.get(&path);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        answer
    })
    .collect()
}

#[test]
fn a_secret_that_is_not_set_says_how_to_set_it() {
    let project = Project::new();
    project.write("dag.yaml", &DAG.replace("API_KEY", "ABSENT"));
    let ran = project.run(&["run", "dag.yaml", "--json"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let show = project.json(&["show", "latest"]);
    let error = &show["tasks"][0]["error"];
    assert_eq!(error["code"], "secret.missing", "{error}");
    assert!(
        error["hint"]
            .as_str()
            .unwrap()
            .contains("twinloom secret set ABSENT"),
        "{error}"
    );
}

#[test]
fn a_secret_sealed_under_another_key_is_an_error_of_its_own() {
    let project = Project::new();
    project.write("dag.yaml", DAG);
    set(&project, "API_KEY", VALUE);
    let key = project.path(".twinloom/secret.key");
    fs::write(&key, [7_u8; 32]).unwrap();
    project.run(&["run", "dag.yaml"]);
    let show = project.json(&["show", "latest"]);
    let error = &show["tasks"][0]["error"];
    assert_eq!(error["code"], "secret.sealed_otherwise", "{error}");
}

#[test]
fn secrets_are_listed_by_name_and_removed() {
    let project = Project::new();
    set(&project, "API_KEY", VALUE);
    let listed = project.json(&["secret", "list"]);
    assert_eq!(
        (&listed[0]["name"], &listed[0]["source"]),
        (&"API_KEY".into(), &"store".into())
    );
    assert!(project.ok(&["secret", "list"]).stdout.contains("API_KEY"));
    assert_eq!(project.json(&["secret", "remove", "API_KEY"])["removed"], true);
    project.fails(
        &["secret", "remove", "API_KEY"],
        3,
        "secret.not_found",
        "removed there",
    );
    let ran = project.run_with("value", &["secret", "set", "../up", "--json"]);
    assert_eq!(ran.last_json()["error"]["code"], "secret.name", "{}", ran.stdout);
}
