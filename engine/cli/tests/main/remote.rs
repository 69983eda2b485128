//! Commands with `--server`: a real server, asked as a user asks it.

use twinloom_store::{FeatureStore, StoreLocation};

use super::{
    models::register,
    support::{Project, Up, state},
};

const DAG: &str = r#"apiVersion: twinloom/v1
kind: Dag
name: daily
params: {word: {type: string, default: hello}}
on: {schedule: {cron: "0 6 * * *", timezone: Europe/Berlin}}
steps:
  rows:
    uses: command
    with: {argv: [sh, -c, 'echo "id,text" > "$TWINLOOM_OUTPUT_DIR/rows.csv"; echo "1,${WORD}" >> "$TWINLOOM_OUTPUT_DIR/rows.csv"; echo "said $WORD"'], env: {WORD: "${{ params.word }}"}}
    out: {rows: words}
"#;
const ASKS: &str = r#"apiVersion: twinloom/v1
kind: Dag
name: asks
steps:
  report:
    uses: command
    with: {argv: [sh, -c, 'printf "metric,subject,value,low,high,threshold,passed,evidence\neval_loss,candidate,1.5,1.4,1.6,2.5,true,{}\n" > "$TWINLOOM_OUTPUT_DIR/report.csv"'], keys: {report: [metric, subject]}}
    out: {report: report}
  approve:
    uses: approve
    in: {report: report.report}
    out: {verdict: verdict}
"#;

fn served() -> (Project, Up) {
    let project = Project::new();
    project.write("dags/daily.yaml", DAG);
    project.write("dags/asks.yaml", ASKS);
    let up = project.up(&[]);
    (project, up)
}

/// A command for a server.
fn on<'a>(up: &'a Up, arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &["--server", up.url.as_str()]].concat()
}

#[test]
fn dags_are_listed_shown_paused_and_explained() {
    let (project, up) = served();
    let listed = project.json(&on(&up, &["dags"]));
    let names: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|dag| dag["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["asks", "daily"]);
    assert!(project.ok(&on(&up, &["dags", "list"])).stdout.contains("daily"));
    assert_eq!(
        project.json(&on(&up, &["dags", "show", "daily"]))["name"],
        "daily"
    );
    assert_eq!(
        project.json(&on(&up, &["dags", "pause", "daily"]))["paused"],
        true
    );
    assert_eq!(project.json(&on(&up, &["dags", "show", "daily"]))["paused"], true);
    assert_eq!(
        project.ok(&on(&up, &["dags", "resume", "daily"])).stdout,
        "daily goes on\n"
    );
    let fires = project.json(&on(&up, &["dags", "fires", "daily"]));
    assert!(fires[0]["why"].as_str().unwrap().contains("0 6 * * *"), "{fires}");
    assert!(project.json(&on(&up, &["dags", "why", "daily"])).is_array());
    project.fails(&on(&up, &["dags", "show", "nobody"]), 3, "dag.unknown", "");
    project.fails(&["dags"], 2, "server.missing", "--server http://127.0.0.1:7878");
}

#[test]
fn a_range_is_backfilled_after_a_look_at_it() {
    let (project, up) = served();
    let range = ["--from", "2026-03-01T00:00:00Z", "--to", "2026-03-03T00:00:00Z"];
    let backfill = |more: &[&'static str]| {
        let command = [["backfill", "daily"].as_slice(), &range, more].concat();
        on(&up, &command)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let ask = |more: &[&'static str]| {
        let arguments = backfill(more);
        project.json(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let preview = ask(&["--preview"]);
    assert_eq!(preview["fires"].as_array().unwrap().len(), 2, "{preview}");
    assert!(project.json(&on(&up, &["runs"])).as_array().unwrap().is_empty());
    assert_eq!(ask(&[])["runs"].as_array().unwrap().len(), 2);
    assert_eq!(
        project
            .json(&on(&up, &["runs", "--dag", "daily"]))
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // For people: the times, and that they have runs now.
    let again = backfill(&["--preview"]);
    let ran = project.ok(&again.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ran.stdout.matches("has run").count(), 2, "{}", ran.stdout);
    assert!(ran.stderr.contains("nothing was started"), "{}", ran.stderr);
    let turned = [
        "backfill",
        "daily",
        "--from",
        "2026-03-03T00:00:00Z",
        "--to",
        "2026-03-01T00:00:00Z",
    ];
    project.fails(&on(&up, &turned), 2, "backfill.range", "ends after it starts");
}

#[test]
fn a_run_is_started_followed_and_looked_at() {
    let (project, up) = served();
    let run = project.json(&on(&up, &["run", "daily", "--param", "word=moin"]));
    assert_eq!(
        (run["status"].as_str(), state(&run, "rows")),
        (Some("succeeded"), "succeeded".to_owned())
    );
    let id = run["id"].as_str().unwrap();
    assert_eq!(
        project.json(&on(&up, &["runs", "--state", "succeeded"]))[0]["id"],
        id
    );
    assert!(project.ok(&on(&up, &["runs"])).stdout.contains(id));
    assert_eq!(project.json(&on(&up, &["show", "latest"]))["id"], id);
    assert!(project.ok(&on(&up, &["show", id])).stdout.contains("words"));
    assert!(
        project
            .ok(&on(&up, &["logs", id, "rows"]))
            .stdout
            .contains("said moin")
    );
    assert!(project.ok(&on(&up, &["why", id])).stdout.contains("is succeeded"));
    assert_eq!(project.json(&on(&up, &["dataset", "list"]))[0]["name"], "words");
    assert!(
        project
            .json(&on(&up, &["model", "list"]))
            .as_array()
            .unwrap()
            .is_empty()
    );
    // A file stands for the DAG that it holds.
    let again = project.json(&on(&up, &["run", "dags/daily.yaml", "--param", "word=moin"]));
    assert_eq!(state(&again, "rows"), "cached");
    let retried = project.run(&on(&up, &["retry", id, "--json"]));
    assert_eq!(
        retried.last_json()["error"]["code"],
        "run.nothing_to_retry",
        "{}",
        retried.stdout
    );
    assert_eq!(
        project.json(&on(&up, &["retry", id, "--from", "rows"]))["status"],
        "succeeded"
    );

    project.fails(&on(&up, &["run", "nobody"]), 3, "dag.unknown", "");
    project.fails(
        &on(&up, &["run", "daily", "--param", "word"]),
        2,
        "param.syntax",
        "NAME=VALUE",
    );
    project.fails(
        &on(&up, &["show", "01ABSENT"]),
        3,
        "meta.not_found",
        "twinloom runs",
    );
    project.fails(&on(&up, &["cancel", id]), 1, "run.ended", "");
    // The same codes and exits whether a server is asked or the home folder.
    for (arguments, exit, code) in [
        (["why", id, "nobody"].as_slice(), 3, "run.unknown_task"),
        (
            ["retry", id, "--from", "nobody"].as_slice(),
            3,
            "run.unknown_task",
        ),
        (["show", "01ABSENT"].as_slice(), 3, "meta.not_found"),
        (["retry", id].as_slice(), 1, "run.nothing_to_retry"),
    ] {
        project.fails(&on(&up, arguments), exit, code, "");
        project.fails(arguments, exit, code, "");
    }
    project.fails(
        &on(&up, &["fmt", "dags/daily.yaml"]),
        2,
        "server.not_remote",
        "Leave --server",
    );
    project.fails(
        &["runs", "--server", "localhost"],
        2,
        "server.url",
        "http://127.0.0.1:7878",
    );
    project.fails(
        &["runs", "--server", "http://127.0.0.1:9"],
        1,
        "server.unreachable",
        "twinloom up",
    );
}

#[test]
fn a_question_is_answered_over_the_server() {
    let (project, up) = served();
    assert_eq!(project.run(&on(&up, &["run", "asks"])).code, 4);
    let cancelled = project.json(&on(&up, &["cancel", "latest", "--reason", "enough"]));
    assert_eq!(cancelled["cancelled"], true);
    let asked = project.run(&on(&up, &["run", "asks", "--json"]));
    assert_eq!(asked.code, 4, "{}{}", asked.stdout, asked.stderr);
    let open = project.json(&on(&up, &["approvals"]));
    assert_eq!(open.as_array().unwrap().len(), 1);
    assert!(project.ok(&on(&up, &["approvals"])).stdout.contains("approve"));
    let done = project.json(&on(
        &up,
        &["approve", "latest", "--as", "ada", "--comment", "fine"],
    ));
    assert_eq!(done["status"], "succeeded", "{done}");
    let again = on(&up, &["approve", "latest", "--as", "ada"]);
    project.fails(&again, 1, "run.not_waiting", "twinloom approvals");
}

const KEYED: &str = r#"apiVersion: twinloom/v1
kind: Dag
name: keyed
params: {word: {type: string, default: hello}}
steps:
  rows:
    uses: command
    with: {argv: [sh, -c, 'printf "id,text\na,same\nb,$WORD\n" > "$TWINLOOM_OUTPUT_DIR/rows.csv"'], env: {WORD: "${{ params.word }}"}, keys: {rows: [id]}}
    out: {rows: pairs}
"#;

#[test]
fn files_are_checked_and_datasets_compared_by_the_server() {
    let project = Project::new();
    project.write("dags/keyed.yaml", KEYED);
    let up = project.up(&[]);
    assert!(
        project
            .ok(&on(&up, &["validate", "dags/keyed.yaml"]))
            .stdout
            .contains("keyed.yaml: valid")
    );
    project.write("wrong.yaml", &KEYED.replace("uses: command", "uses: comand"));
    let wrong = project.run(&on(&up, &["validate", "dags/keyed.yaml", "wrong.yaml"]));
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(
        wrong.stderr.contains("wrong.yaml:") && wrong.stderr.contains("comand"),
        "{}",
        wrong.stderr
    );
    // The same document as without a server.
    let listed = [
        project.run(&on(&up, &["validate", "wrong.yaml", "--json"])),
        project.run(&["validate", "wrong.yaml", "--json"]),
    ];
    for listed in listed.map(|ran| ran.last_json()) {
        assert_eq!(listed[0]["valid"], false, "{listed}");
        assert_eq!(listed[0]["error"]["code"], "spec.invalid", "{listed}");
    }
    let plan = ["plan", "dags/keyed.yaml", "--param", "word=moin"];
    assert_eq!(project.json(&on(&up, &plan))[0]["would"], "run");
    assert!(project.ok(&on(&up, &plan)).stdout.contains("rows"));
    let refused = project.run(&on(&up, &["plan", "wrong.yaml"]));
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    for ignored in [
        ["plan", "dags/keyed.yaml", "--pipelines", "dags"].as_slice(),
        &["run", "keyed", "--pipelines", "dags"],
        &["run", "keyed", "--no-cache"],
        &["run", "keyed", "--approve-as", "ada"],
        &["run", "--resume"],
    ] {
        project.fails(&on(&up, ignored), 2, "server.not_remote", "Leave --");
    }
    for word in ["moin", "servus"] {
        let run = ["run", "keyed", "--param", &format!("word={word}")].map(str::to_owned);
        let run: Vec<&str> = run.iter().map(String::as_str).collect();
        assert_eq!(project.json(&on(&up, &run))["status"], "succeeded");
    }
    assert_eq!(project.json(&on(&up, &plan))[0]["would"], "cached");
    assert_eq!(
        project.json(&on(&up, &["dataset", "show", "pairs"]))["version"],
        2
    );
    let shown = project.ok(&on(&up, &["dataset", "show", "pairs@1"])).stdout;
    assert!(
        shown.starts_with("pairs@1  ") && shown.contains("2 rows"),
        "{shown}"
    );
    let diff = project.json(&on(&up, &["dataset", "diff", "pairs@1", "pairs@2"]));
    assert_eq!(
        (diff["changed"].as_u64(), diff["added"].as_u64()),
        (Some(1), Some(0))
    );
    assert_eq!(
        project
            .ok(&on(&up, &["dataset", "diff", "pairs@1", "pairs"]))
            .stdout,
        "~ b\n"
    );
    let two = on(&up, &["dataset", "diff", "pairs@1", "other@2"]);
    project.fails(&two, 2, "dataset.diff", "two versions of one");
    let head = on(&up, &["dataset", "head", "pairs"]);
    project.fails(&head, 2, "server.not_remote", "Leave --server");
    let experiments = project.json(&on(&up, &["experiments", "list", "--dag", "keyed"]));
    assert_eq!(experiments[0]["artifacts"][0], "pairs@2", "{experiments}");
    assert!(
        project
            .ok(&on(&up, &["experiments", "list"]))
            .stdout
            .contains("pairs@1")
    );
    assert!(
        project
            .json(&on(&up, &["experiments", "curves", "latest"]))
            .as_array()
            .unwrap()
            .is_empty()
    );
    let nobody = on(&up, &["experiments", "curves", "latest/nobody"]);
    project.fails(&nobody, 3, "experiment.not_found", "experiments list");
    let wrong = on(&up, &["dataset", "show", "pairs@1@2"]);
    project.fails(&wrong, 2, "store.invalid_name", "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_moved_and_rolled_back() {
    let project = Project::new();
    let location = format!("file://{}", project.path(".twinloom/store").display());
    let store = FeatureStore::open(&StoreLocation::new(location)).await.unwrap();
    for text in ["one", "two", "three"] {
        let file = project.write("weights/weights.bin", text);
        register(&store, "twin", None, &[&file]).await;
    }
    let to = |reference: &'static str| ["model", "alias", reference, "production", "--reason", "better"];
    let back = ["model", "rollback", "twin", "production", "--reason", "worse"];
    let by = |command: &[&'static str]| [command, &["--as", "ada"]].concat();
    assert_eq!(project.json(&by(&to("twin@1")))["version"], 1);
    project.fails(&to("twin@2"), 2, "model.as", "--as NAME");
    assert_eq!(project.json(&by(&to("twin@2")))["previous"], 1);
    let rolled = project.ok(&by(&back)).stdout;
    assert_eq!(rolled, "twin@production is version 1 now (was 2)\n");

    let up = project.up(&[]);
    let moved = project.json(&on(&up, &to("twin@3")));
    assert_eq!(
        (moved["version"].as_u64(), moved["previous"].as_u64()),
        (Some(3), Some(1)),
        "{moved}"
    );
    let shown = project.ok(&on(&up, &["model", "show", "twin@production"])).stdout;
    assert!(
        shown.starts_with("twin@3  ") && shown.contains("is production"),
        "{shown}"
    );
    let rolled = project.json(&on(&up, &back));
    assert_eq!(
        (rolled["version"].as_u64(), rolled["by"].as_str()),
        (Some(1), Some("local"))
    );
    assert_eq!(
        project.json(&on(&up, &["model", "show", "twin@production"]))["version"],
        1
    );
    let never = ["model", "rollback", "twin", "candidate", "--reason", "worse"];
    project.fails(&on(&up, &never), 1, "alias.no_previous", "");
    project.fails(&on(&up, &["model", "show", "nobody"]), 3, "store.not_found", "");
}
