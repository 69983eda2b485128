#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use serde_json::{Value, json};
use twinloom_sdk::{ErrorKind, Operator, Outcome, TaskDocument};

use super::{Command, Config};
use crate::harness::{Home, Wire};

/// A task that runs a script; the shell is the program here, given the script as one argument.
fn script(home: &Home, script: &str) -> TaskDocument {
    home.task("command", json!({"argv": ["sh", "-c", script]}))
}

fn rows() -> RecordBatch {
    RecordBatch::try_from_iter([("id", Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef)]).unwrap()
}

#[tokio::test]
async fn files_named_after_ports_become_datasets() {
    let home = Home::new().await;
    let input = home.publish("docs", &["id"], rows()).await;
    let text = "test -f \"$(head -n1 \"$TWINLOOM_INPUT_DOCS_FILE\")\" && test -f \"$TWINLOOM_INPUT_DOCS\" || exit 3\n\
        printf '{\"id\":\"x\",\"n\":1}\\n{\"id\":\"y\",\"n\":2}\\n' > \"$TWINLOOM_OUTPUT_DIR/rows.jsonl\"\n\
        printf 'name\\nfirst\\n' > \"$TWINLOOM_OUTPUT_DIR/table.csv\"; echo done with $TWINLOOM_TASK; pwd";
    let mut task = script(&home, text)
        .dataset("docs", &input)
        .output("rows")
        .output("table");
    task.config["keys"] = json!({"rows": ["id"]});
    let ended = home.done(task).await;
    assert_eq!(ended.datasets["rows"].data.rows, 2);
    assert_eq!(ended.datasets["rows"].data.keys, ["id"]);
    assert_eq!(ended.datasets["table"].data.rows, 1);
    assert_eq!(ended.metrics["rows_rows"], 2);
    assert_eq!(ended.datasets["rows"].data.inputs[0].id, input.id());
    let log = home.log();
    assert!(
        log.contains("done with command") && log.contains(home.path().join("work").to_str().unwrap()),
        "{log}"
    );
}

#[tokio::test]
async fn a_program_may_speak_the_protocol() {
    let home = Home::new().await;
    let text = r#"read task; case "$task" in *'"protocol":1'*) ;; *) exit 4;; esac
        echo '{"type":"log","level":"warn","message":"careful"}'
        echo '{"type":"metric","name":"loss","value":0.5,"step":3}'
        echo plain words >&2
        echo '{"type":"result","metrics":{"score":7}}'"#;
    let ended = home.done(script(&home, text)).await;
    assert_eq!(ended.metrics["score"], 7);
    assert!(
        home.log().contains("careful") && home.log().contains("plain words"),
        "{}",
        home.log()
    );
    let asks = r#"echo '{"type":"wait","request":{"question":"Go on?","approvers":[],"on_timeout":"reject","evidence":{}}}'"#;
    assert!(
        matches!(home.run(script(&home, asks)).await.unwrap(), Outcome::Wait(request) if request.question == "Go on?")
    );
    let fails =
        r#"echo '{"type":"error","kind":"config","code":"own.code","message":"m","hint":"h"}'; exit 1"#;
    assert_eq!(home.run(script(&home, fails)).await.unwrap_err().code, "own.code");
}

#[tokio::test]
async fn exit_codes_say_who_has_to_act() {
    let home = Home::new().await;
    let retry = home
        .run(script(&home, "echo busy >&2; exit 75"))
        .await
        .unwrap_err();
    assert_eq!(
        (retry.kind, retry.code.as_str()),
        (ErrorKind::Retry, "command.retry")
    );
    assert!(retry.message.contains("busy"));
    let many = "i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo line $i >&2; done; exit 2";
    let failed = home.run(script(&home, many)).await.unwrap_err();
    assert_eq!(
        (failed.kind, failed.code.as_str()),
        (ErrorKind::Data, "command.failed")
    );
    assert!(
        failed.message.contains("line 50")
            && failed.message.contains("line 31")
            && !failed.message.contains("line 30\n")
    );
    for kills in ["kill -9 $$", "sh -c 'kill -9 $$'; exit $?", "exit 143"] {
        let killed = home.run(script(&home, kills)).await.unwrap_err();
        assert_eq!(
            (killed.kind, killed.code.as_str()),
            (ErrorKind::Retry, "command.killed"),
            "{kills}: {killed}"
        );
    }
    let argv = |argv: Value| home.task("command", json!({"argv": argv}));
    assert_eq!(
        home.run(argv(json!(["no-such-program-anywhere"])))
            .await
            .unwrap_err()
            .code,
        "command.not_found"
    );
    assert_eq!(
        home.run(argv(json!(["./Cargo.toml"]))).await.unwrap_err().code,
        "command.not_executable"
    );
    assert_eq!(home.run(argv(json!([]))).await.unwrap_err().code, "command.argv");
    assert_eq!(
        home.run(argv(json!("sh"))).await.unwrap_err().code,
        "config.invalid"
    );
}

#[tokio::test]
async fn arguments_reach_the_program_as_they_are() {
    let home = Home::new().await;
    let hostile = "a b; touch \"$HOME/x\" $(exit 9) 'q' \n*";
    let task = home.task("command", json!({"argv": ["printf", "%s|", hostile, "second"]}));
    home.done(task).await;
    assert!(
        home.log()
            .replace('\n', "")
            .contains(&format!("{}|second|", hostile.replace('\n', ""))),
        "{}",
        home.log()
    );
}

#[tokio::test]
async fn outputs_that_are_missing_or_links_are_refused() {
    let home = Home::new().await;
    let missing = home.run(script(&home, "true").output("rows")).await.unwrap_err();
    assert_eq!(missing.code, "command.output_missing");
    assert!(missing.hint.contains("rows.parquet"));
    let link = script(&home, "ln -s /etc/passwd \"$TWINLOOM_OUTPUT_DIR/rows.csv\"").output("rows");
    assert_eq!(home.run(link).await.unwrap_err().code, "command.output");
}

#[tokio::test]
async fn secrets_of_others_do_not_reach_the_program() {
    let home = Home::new().await;
    let mut task = script(&home, "env");
    task.config["env"] = json!({"PLAIN": "value"});
    home.done(task).await;
    assert!(
        home.log().contains("PLAIN=value") && !home.log().contains("TWINLOOM_SECRET_"),
        "{}",
        home.log()
    );
    let mut task = script(&home, "true");
    task.config["env"] = json!({"TOKEN": "secret:NOT_SET_ANYWHERE"});
    let error = home.run(task).await.unwrap_err();
    assert_eq!(error.code, "secret.missing");
    assert!(error.hint.contains("twinloom secret set NOT_SET_ANYWHERE"));
    assert!(error.hint.contains("TWINLOOM_SECRET_NOT_SET_ANYWHERE"));
    let mut task = script(&home, "true");
    task.config["env"] = json!({"TWINLOOM_RUN": "x"});
    assert_eq!(home.run(task).await.unwrap_err().code, "command.env");
}

/// The program ignores SIGTERM, and its child would sleep for a minute: both are gone after the cancellation.
#[tokio::test]
async fn cancelling_ends_the_whole_group() {
    let home = Home::new().await;
    let pids = home.path().join("pids");
    let text = format!(
        "echo $$ > {0}; sleep 60 & echo $! >> {0}; wait; wait",
        pids.display()
    );
    let token = home.cancelled.clone();
    let waiting = async {
        while fs::read_to_string(&pids).unwrap_or_default().lines().count() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        token.cancel();
    };
    let started = Instant::now();
    let (ended, ()) = tokio::join!(home.run(script(&home, &text)), waiting);
    assert_eq!(ended.unwrap_err().code, "task.cancelled");
    assert!(started.elapsed() < Duration::from_secs(30));
    for pid in fs::read_to_string(&pids).unwrap().lines() {
        assert!(gone(pid).await, "process {pid} lives on");
    }
}

/// A background process that holds stdout open does not hold up the step, and does not outlive it.
#[tokio::test]
async fn what_is_left_in_the_background_ends_with_the_program() {
    let home = Home::new().await;
    let pids = home.path().join("pids");
    let started = Instant::now();
    home.done(script(
        &home,
        &format!("sleep 60 & echo $! > {}; echo bye", pids.display()),
    ))
    .await;
    assert!(started.elapsed() < Duration::from_secs(30));
    assert!(home.log().contains("bye"));
    assert!(gone(fs::read_to_string(&pids).unwrap().trim()).await);
}

/// Whether a process ends soon (a zombie has ended).
async fn gone(pid: &str) -> bool {
    for _ in 0..200 {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if state.is_empty()
            || state
                .rsplit(')')
                .next()
                .is_some_and(|rest| rest.trim_start().starts_with('Z'))
        {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[test]
fn an_edited_script_is_another_program() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("step.sh");
    let salt = |text: &str| {
        fs::write(&path, text).unwrap();
        let argv = vec!["sh".to_owned(), path.display().to_string()];
        Command
            .cache_salt(&Config {
                argv,
                ..Config::default()
            })
            .unwrap()
    };
    let first = salt("echo 1");
    assert_ne!(salt("echo 2"), first);
    assert_eq!(salt("echo 1"), first);
}
